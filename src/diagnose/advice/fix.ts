import type { Case, Direction } from '../../model/finding.ts';
import type { LibraryName, Runtime } from '../../model/process.ts';

/** What to change in code or settings, for whom it is right, and `when` only for connections of one direction. */
export type Fix = { for: LibraryName | Runtime | 'any'; when?: Exclude<Direction, 'mixed' | 'unknown'>; text: string };

/** What is known to be changed about a cause, and what people try in vain. */
export type Advice = { fixes: readonly Fix[]; inVain?: string };

/** What a library does in a program: advice on a pool of database connections is out of place for web clients. */
const PART: Record<LibraryName, 'server' | 'http' | 'database' | 'client' | 'both'> = {
  HikariCP: 'database',
  'Apache HttpClient 4': 'http',
  'Apache HttpClient 5': 'http',
  OkHttp: 'http',
  Netty: 'both',
  'Reactor Netty': 'http',
  Tomcat: 'server',
  Jetty: 'server',
  'Commons Pool': 'client',
  requests: 'http',
  aiohttp: 'http',
  gunicorn: 'server',
  uvicorn: 'server',
  'PHP-FPM': 'server',
  nginx: 'both',
  HAProxy: 'both',
};

/** Programs whose own code nobody changes: what the language offers is no advice for them. */
const FINISHED: ReadonlySet<string> = new Set<LibraryName>(['nginx', 'HAProxy']);

/** DB2, Firebird, MySQL, Oracle, PostgreSQL, PgBouncer, SQL Server. */
const DATABASE_PORTS: ReadonlySet<number> = new Set([50_000, 3050, 3306, 1521, 5432, 6432, 1433]);

/** More would be a list and not advice. */
const MOST_FIXES = 2;

/** The connections that advice is about: those of the case, and those that its threads wait for. */
export type About = { inbound: boolean; outbound: boolean; ports: readonly number[] };

export const connectionsOf = ({ direction, peers }: Case): About => ({
  inbound: direction !== 'outbound',
  outbound: direction !== 'inbound',
  ports: peers.flatMap(({ port }) => port ?? []),
});

/** The fixes that fit, those for a recognised library first, then those for the runtime; the rest only without either. */
export function fitting({ fixes }: Advice, { process }: Case, about: About): string[] {
  const libraries: ReadonlySet<string> = new Set(process?.libraries?.map(({ name }) => name));
  const runtime = [...libraries].some((name) => FINISHED.has(name)) ? undefined : process?.runtime;
  const fits = fixes.filter(({ when }) => when === undefined || about[when]);
  const chosen = [
    ...fits.filter((fix) => libraries.has(fix.for) && plays(PART[fix.for as LibraryName], about)),
    ...fits.filter((fix) => fix.for === runtime),
  ];
  const found = chosen.length > 0 ? chosen : fits.filter((fix) => fix.for === 'any');
  return found.slice(0, MOST_FIXES).map(({ text }) => text);
}

function plays(part: (typeof PART)[LibraryName], { inbound, outbound, ports }: About): boolean {
  const databases = ports.filter((port) => DATABASE_PORTS.has(port)).length;
  switch (part) {
    case 'server':
      return inbound;
    case 'database':
      return outbound && databases > 0;
    case 'http':
      return outbound && (ports.length === 0 || databases < ports.length);
    case 'client':
      return outbound;
    case 'both':
      return true;
  }
}
