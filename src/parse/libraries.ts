import type { Library, LibraryName } from '../model/process.ts';

/** What was read of a process: its executable and name, its arguments, the text of /proc/PID/maps, and files it has open. */
export type LibraryFacts = { exe?: string; name: string; argv: string[]; maps?: string; openFiles: string[] };

// Names as Maven Central and the distributions have them: HikariCP-5.1.0.jar, HikariCP-java7-2.4.13.jar, okhttp-jvm-5.0.0.jar,
// netty-all-4.1.100.Final.jar, tomcat-embed-core-10.1.1.jar, tomcat9-catalina.jar, httpclient5-5.2.1.jar, httpclient.jar.
const JARS: [RegExp, LibraryName][] = [
  [/^HikariCP(?:-java[0-9]+)?(?:-(?<version>[0-9].*))?\.jar$/, 'HikariCP'],
  [/^httpclient5(?:-(?<version>[0-9].*))?\.jar$/, 'Apache HttpClient 5'],
  [/^httpclient(?:-osgi)?(?:-(?<version>4.*))?\.jar$/, 'Apache HttpClient 4'],
  [/^okhttp(?:-jvm)?(?:-(?<version>[0-9].*))?\.jar$/, 'OkHttp'],
  [/^reactor-netty(?:-core|-http)?(?:-(?<version>[0-9].*))?\.jar$/, 'Reactor Netty'],
  [/^netty-(?:all|transport|handler)(?:-(?<version>[0-9].*))?\.jar$/, 'Netty'],
  [/^(?:tomcat-embed-core|tomcat[0-9]*-catalina|catalina)(?:-(?<version>[0-9].*))?\.jar$/, 'Tomcat'],
  [/^jetty[0-9]*-server(?:-(?<version>[0-9].*))?\.jar$/, 'Jetty'],
  [/^commons-pool2(?:-(?<version>[0-9].*))?\.jar$/, 'Commons Pool'],
];

// Compiled parts of Python packages, which stay mapped; those written in Python alone leave no trace. requests loads
// charset_normalizer, and aiohttp before 3.9 did.
const MODULES: [RegExp, LibraryName][] = [
  [/\/aiohttp\/_[\w./-]+\.so(?: \(deleted\))?$/m, 'aiohttp'],
  [/\/charset_normalizer\/[\w./-]+\.so(?: \(deleted\))?$/m, 'requests'],
];

const PROGRAMS: [RegExp, LibraryName][] = [
  [/^nginx$/, 'nginx'],
  [/^haproxy$/, 'HAProxy'],
  [/^php-fpm[0-9.]*$/, 'PHP-FPM'],
];

// A script is an argument of its interpreter, and so is a module that runs as a program (-m NAME). gunicorn puts
// `gunicorn: worker [app]` in place of its arguments where setproctitle is installed.
const SCRIPTS: [RegExp, LibraryName][] = [
  [/^gunicorn(?:3|: .*)?$/s, 'gunicorn'],
  [/^uvicorn(?:\.workers\.\w+)?$/, 'uvicorn'],
];

// Main classes, the last thing in a command line that is not the program's own.
const CLASSES: [RegExp, LibraryName][] = [
  [/^org\.apache\.catalina\.startup\.Bootstrap$/, 'Tomcat'],
  [/^org\.eclipse\.jetty\.start\.Main$/, 'Jetty'],
];

/** What is recognised, each once, with the version of the file that came first. */
export function recogniseLibraries({ exe, name, argv, maps, openFiles }: LibraryFacts): Library[] {
  const found = new Map<LibraryName, Library>();
  const look = (table: [RegExp, LibraryName][], text: string): void => {
    for (const [pattern, library] of table) {
      const match = pattern.exec(text);
      if (!match) continue;
      const version = match.groups?.version;
      const known = found.get(library);
      if (!known || (known.version === undefined && version !== undefined))
        found.set(library, { name: library, ...(version !== undefined && { version }) });
    }
  };
  look(PROGRAMS, exe === undefined ? name : basename(exe));
  look(SCRIPTS, name);
  for (const argument of argv) {
    look(SCRIPTS, /^gunicorn: /.test(argument) ? argument : basename(argument));
    look(CLASSES, argument);
  }
  for (const jar of [...openFiles, ...classPath(argv)]) if (/\.jar$/.test(jar)) look(JARS, basename(jar));
  if (maps !== undefined) look(MODULES, maps);
  return dropDoubts([...found.values()]);
}

/** charset_normalizer beside aiohttp says nothing about requests. */
const dropDoubts = (libraries: Library[]): Library[] =>
  libraries.some(({ name }) => name === 'aiohttp') ? libraries.filter(({ name }) => name !== 'requests') : libraries;

const basename = (path: string): string => path.replace(/ \(deleted\)$/, '').replace(/^.*\//s, '');

const CLASS_PATH_OPTIONS = new Set(['-cp', '-classpath', '--class-path', '-p', '--module-path', '-jar']);

/** The files of a Java class path. */
function classPath(argv: string[]): string[] {
  return argv.flatMap((argument, i) => {
    if (CLASS_PATH_OPTIONS.has(argument)) return argv[i + 1]?.split(':') ?? [];
    return /^--(?:class|module)-path=/.test(argument) ? argument.replace(/^[^=]*=/, '').split(':') : [];
  });
}
