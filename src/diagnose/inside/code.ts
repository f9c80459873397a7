import type { Case, Cause, CodePlace, CodeRole } from '../../model/finding.ts';
import type { Frame, Strand } from '../../model/inside.ts';
import { referenceText } from '../../model/place-text.ts';
import type { TcpSocket } from '../../model/socket.ts';
import { callersOf, countOf, groupStrands, isAtRest, ownFrame } from './strands.ts';
import type { Ties } from './ties.ts';
import type { StrandWords } from './words.ts';

/** More places than these are no answer to "which line is it". */
const MOST_PLACES = 4;

/** Of these causes it is the threads that tell; of the others only what is tied to a socket. */
const OF_THREADS: ReadonlySet<Cause> = new Set(['stalled', 'accept-backlog', 'unknown']);

/** The lines of code that a finding is about, the most telling first. */
export function codeOf(subject: Case, cause: Cause, ties: Ties, words: StrandWords): CodePlace[] {
  const { inside } = ties;
  const strands = inside.strands ?? [];
  const ofThreads = OF_THREADS.has(cause) ? [...deadlocked(ties), ...loops(strands), ...waiting(ties, words)] : [];
  return [
    ...ofThreads,
    ...readEnds(subject, ties),
    ...handlers(subject, ties),
    ...making(subject, ties),
    ...(cause === 'stalled' ? [] : referring(subject, ties)),
  ].slice(0, MOST_PLACES);
}

class Places {
  readonly #places = new Map<string, CodePlace>();

  add(role: CodeRole, frames: readonly Frame[], what?: string): void {
    const frame = frames.find(({ origin }) => origin === 'application') ?? frames.find((it) => it.origin === 'library');
    if (!frame && what === undefined) return;
    const key = `${role} ${what ?? ''} ${frame?.function} ${frame?.file}:${frame?.line}`;
    const known = this.#places.get(key);
    if (known) known.sockets = (known.sockets ?? 0) + 1;
    else
      this.#places.set(key, {
        role,
        ...(frame && { frame }),
        callers: callersOf(frames),
        sockets: 1,
        ...(what !== undefined && { what }),
      });
  }

  get most(): CodePlace[] {
    return [...this.#places.values()].sort((a, b) => (b.sockets ?? 0) - (a.sockets ?? 0));
  }
}

/** Also of those that came while it was watched and are too young to be stuck: they come the same way. */
function readEnds({ sockets, besides }: Case, ties: Ties): CodePlace[] {
  const places = new Places();
  for (const socket of new Set<TcpSocket>([...sockets, ...(besides ?? [])])) {
    const read = ties.endReadOf(socket);
    if (read) places.add('read-end', read.frames);
  }
  return places.most;
}

/** What is told of the end of a connection, and else of its coming, is the place where a close belongs. */
const TELLING = [
  'end',
  'close',
  'data',
  'readable',
  'response data',
  'response end',
  'server request',
  'server connection',
  'request error',
  'error',
];

function handlers({ sockets }: Case, ties: Ties): CodePlace[] {
  const places = new Places();
  for (const socket of sockets) {
    const own = (ties.objectOf(socket)?.handlers ?? []).filter(({ place }) => place.origin !== 'runtime');
    const [first] = own.sort((a, b) => rank(a.event) - rank(b.event));
    if (first) places.add('handler', [first.place], first.event);
  }
  return places.most;
}

const rank = (event: string): number => {
  const at = TELLING.indexOf(event);
  return at < 0 ? TELLING.length : at;
};

function making({ sockets }: Case, ties: Ties): CodePlace[] {
  const places = new Places();
  for (const socket of sockets) {
    const created = ties.objectOf(socket)?.created;
    if (created) places.add('made', created);
  }
  return places.most;
}

/** Only some objects are followed to what refers to them, for that is dear: of how many, is said. */
function referring({ sockets }: Case, ties: Ties): CodePlace[] {
  const places = new Places();
  let followed = 0;
  for (const socket of sockets) {
    const by = ties.objectOf(socket)?.referredBy;
    if (!by) continue;
    followed++;
    for (const it of by) places.add('refers', [], referenceText(it));
  }
  const [first] = places.most;
  const most = places.most
    .filter(({ sockets = 0 }) => sockets * FEW_OF_MANY >= (first?.sockets ?? 0))
    .slice(0, MOST_REFERRING);
  return followed < sockets.length ? most.map((place) => ({ ...place, of: followed })) : most;
}

const MOST_REFERRING = 2;
/** What refers to one of ten only is passing by. */
const FEW_OF_MANY = 5;

function deadlocked({ inside }: Ties): CodePlace[] {
  const inCircle = new Set(inside.deadlocks?.flatMap(({ strands }) => strands));
  return (inside.strands ?? []).flatMap((strand) => {
    const frame = ownFrame(strand);
    if (!frame || strand.name === undefined || !inCircle.has(strand.name)) return [];
    const { owner } = strand.waitsFor ?? {};
    const what = owner === undefined ? strand.name : `${strand.name}, for a lock that ${owner} has`;
    return { role: 'deadlock' as const, frame, callers: callersOf(strand.frames), strands: 1, kind: strand.kind, what };
  });
}

function loops(strands: readonly Strand[]): CodePlace[] {
  return strands.flatMap((strand) => {
    const frame = ownFrame(strand);
    if (!frame || strand.state !== 'event loop blocked') return [];
    return { role: 'runs' as const, frame, callers: callersOf(strand.frames) };
  });
}

/** Threads that do nothing but take in what comes are not what is wrong. */
const isReady = ({ call }: Strand): boolean => call?.kind === 'accept' || call?.kind === 'events';

const isOnClient = (doing = ''): boolean => /^waits to receive from (?:a )?client\b/.test(doing);

function waiting({ inside }: Ties, words: StrandWords): CodePlace[] {
  const inCircle = new Set(inside.deadlocks?.flatMap(({ strands }) => strands));
  const working = (inside.strands ?? []).filter(
    (it) => it.frames.length > 0 && !isAtRest(it) && it.state !== 'event loop blocked' && !inCircle.has(it.name ?? ''),
  );
  const of = working.reduce((sum, it) => sum + countOf(it), 0);
  const telling = working.filter((it) => ownFrame(it) !== undefined && !isReady(it));
  const groups = groupStrands(telling, (it) => words.of(it));
  // Who waits for a client to ask is mostly at rest, and there are many of them.
  groups.sort((a, b) => Number(isOnClient(a.doing)) - Number(isOnClient(b.doing)));
  return groups.flatMap(({ strand, count, doing }) => {
    const frame = ownFrame(strand);
    if (!frame) return [];
    return {
      role: 'waits' as const,
      frame,
      callers: callersOf(strand.frames),
      strands: count,
      of,
      kind: strand.kind,
      ...(doing !== undefined && { what: doing }),
    };
  });
}
