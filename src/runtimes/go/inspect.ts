import { attempt } from '../../kernel/attempt.ts';
import { listenersOf } from '../../kernel/listeners.ts';
import { ParseError } from '../../model/errors.ts';
import type { Inside } from '../../model/inside.ts';
import type { Listener } from '../../model/socket.ts';
import { formatEndpoint } from '../../model/words.ts';
import { parseGoroutines } from '../../parse/go/goroutines.ts';
import { goroutineProfile } from '../../parse/go/pprof-address.ts';
import { standsStill } from '../standing.ts';
import type { Subject } from '../subject.ts';
import { type GoBinary, readGoBinary } from './binary.ts';
import { fetchText } from './fetch.ts';
import * as gaps from './gaps.ts';

/** An address that is asked: in the network namespace of the process or in our own. */
type Address = { url: string; inside: boolean; timeoutMs: number };

/** More ports of one process are not tried. */
const MOST_PORTS = 3;
/** The port in the documentation of net/http/pprof, which many take. */
const USUAL_PORT = 6060;
/** For an answer of many goroutines from an address that somebody named; and from a port that may speak something else. */
const GIVEN_MS = 10_000;
const TRIED_MS = 3000;

/**
 * Asks a Go program for its goroutines, by net/http/pprof: at the address that somebody names, or, when attaching is allowed and
 * the program has it, where the program itself listens. Nothing else makes a Go program tell them and go on.
 */
export async function inspectGo(subject: Subject, options: { pprof?: string } = {}): Promise<Inside> {
  const binary = attempt(() => readGoBinary(subject.process.pid)) ?? {};
  const inside: Inside = {
    depth: subject.depth,
    runtime: 'go',
    ...(binary.build && { version: binary.build.version }),
    attachments: [],
    gaps: [],
  };
  const addresses = addressesOf(subject, binary, options.pprof, inside);
  if (addresses.length === 0) return inside;
  const still = standsStill(subject.machine, subject.process.pid);
  if (still !== undefined) inside.gaps.push(gaps.standsStill(still));
  else await askFirst(subject, addresses, binary, inside);
  return inside;
}

/** Where to ask; where nowhere, a gap says why. */
function addressesOf(subject: Subject, { hasPprof }: GoBinary, given: string | undefined, inside: Inside): Address[] {
  const { pid } = subject.process;
  if (given !== undefined) {
    try {
      const url = goroutineProfile(given);
      return [{ url, inside: isLoopback(url) && isElsewhere(subject), timeoutMs: GIVEN_MS }];
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      inside.gaps.push(gaps.noAnswer('--pprof', error.message));
      return [];
    }
  }
  if (hasPprof === true && subject.depth !== 'read') {
    const own = ownAddresses(subject);
    if (own.length === 0) inside.gaps.push(gaps.noListener(pid));
    return own;
  }
  if (hasPprof === undefined) inside.gaps.push(gaps.perhapsPprof(pid));
  else inside.gaps.push(hasPprof ? gaps.notAsked(pid) : gaps.noPprof(pid));
  return [];
}

const isLoopback = (url: string): boolean =>
  /^https?:\/\/(?:[^/@]*@)?(?:localhost|127(?:\.[0-9]+){3}|\[::1\])(?::|\/)/i.test(url);

const isElsewhere = ({ machine, process: { netns } }: Subject): boolean =>
  netns !== undefined && attempt(() => machine.ownNetns()) !== netns;

// Of a listener on all addresses, the loopback one.
const ANY = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

/**
 * Its own listeners on this host alone: no request leaves it. One with connections that wait is not asked, for nobody takes
 * them, and the request would be one more.
 */
function ownAddresses(subject: Subject): Address[] {
  const inside = isElsewhere(subject);
  const rank = ({ local: { address, port } }: Listener): number => (port === USUAL_PORT ? 0 : ANY.has(address) ? 2 : 1);
  const own = (listenersOf(subject.machine, subject.process) ?? [])
    .filter(({ queue }) => queue === 0)
    .sort((a, b) => rank(a) - rank(b))
    .map(({ local: { address, port } }) => ({ address: ANY.get(address) ?? address, port }))
    .filter(({ address }) => address === '::1' || address.startsWith('127.'));
  return [...new Set(own.map(formatEndpoint))]
    .slice(0, MOST_PORTS)
    .map((at) => ({ url: goroutineProfile(at), inside, timeoutMs: TRIED_MS }));
}

/** Of an address with a user and a password, what may be shown. */
const shown = (url: string): string => url.replace(/\/\/[^/@]*@/, '//***@');

async function askFirst(
  subject: Subject,
  addresses: readonly Address[],
  { build }: GoBinary,
  into: Inside,
): Promise<void> {
  const all = addresses.map(({ url }) => shown(url)).join(', ');
  subject.announce(
    `asks pid ${subject.process.pid} for its goroutines (GET ${all}): it stands still while it lists them, about 20 ms`,
  );
  const failed: string[] = [];
  for (const { url, inside, timeoutMs } of addresses) {
    const began = performance.now();
    const answer = await fetchText(subject, url, { inside, timeoutMs });
    const tookMs = Math.round(performance.now() - began);
    into.attachments.push({ what: `GET ${shown(url)}`, tookMs });
    if (subject.signal.aborted) return;
    try {
      if ('why' in answer) throw new ParseError(shown(url), answer.why);
      into.strands = parseGoroutines(answer.text, build);
      return;
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      failed.push('why' in answer ? answer.why : 'what came back is no goroutine profile');
    }
  }
  into.gaps.push(gaps.noAnswer(`GET ${all}`, failed.join('; ')));
}
