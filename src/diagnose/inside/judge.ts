import type { Case, Cause, Evidence } from '../../model/finding.ts';
import type { EndRead, Inside, Strand } from '../../model/inside.ts';
import { placeText } from '../../model/place-text.ts';
import type { TcpSocket } from '../../model/socket.ts';
import { formatNumber, plural } from '../../model/words.ts';
import type { Judged } from '../judged.ts';
import { countOf, groupStrands, isAtRest, ownFrame } from './strands.ts';
import type { Ties } from './ties.ts';

// What a process says of itself outweighs what the kernel lets conclude from outside: an object that was told of the end and is
// still open, a line that read it, a handler that still waits. It confirms a verdict, makes it sure, or takes it back.

/** What holds for so large a share is said of all. */
const NEARLY_ALL = 0.8;

/** `outside` is what the rules say without having looked into the process. */
export function judgeInside(subject: Case, ties: Ties, outside: Judged): Judged {
  if (subject.kind !== 'held' && subject.kind !== 'backlog') return outside;
  const told =
    subject.kind === 'held' ? (byEndReads(subject, ties, outside) ?? byObjects(subject, ties, outside)) : undefined;
  return told ?? byStrands(subject, ties.inside, outside);
}

const because = (
  outside: Judged,
  cause: Judged['cause'],
  confidence: Judged['confidence'],
  evidence: Evidence[],
): Judged => ({
  cause,
  confidence,
  evidence: [...evidence, ...(outside.cause === cause ? outside.evidence : [])],
});

/** Ends seen as they were read, of connections that are still open: a few in a row. */
const ENOUGH_ENDS = 3;
/** The thread that read it has read another end since: it has left this one behind. */
function leftBehind(read: EndRead, all: readonly EndRead[]): boolean {
  return read.strand !== undefined && all.some((it) => it.strand === read.strand && it.agoMs < read.agoMs);
}

function byEndReads(subject: Case, ties: Ties, outside: Judged): Judged | undefined {
  const { traits, sockets } = subject;
  const open = [...(subject.besides ?? sockets)].flatMap((socket) => ties.endReadOf(socket) ?? []);
  if (open.length === 0 || (traits && traits.reception !== 'read')) return undefined;
  if (outside.cause !== 'missing-close' && outside.cause !== 'unknown') return undefined;
  const evidence = {
    fact: `${plural(open.length, 'end')} of these connections ${open.length === 1 ? 'was' : 'were'} read while it was watched, and ${open.length === 1 ? 'was' : 'were'} still open a second later and more`,
    says: 'the code that read the end goes on without closing',
  };
  // Where nothing was sent back, or nothing else speaks for it, each of these threads could still be at work on what it has read.
  const left =
    outside.cause === 'missing-close' && !nearlyAll(sockets, isUnanswered)
      ? open
      : open.filter((it) => leftBehind(it, ties.inside.endReads ?? []));
  return because(outside, 'missing-close', left.length >= ENOUGH_ENDS ? 'proven' : 'likely', [evidence]);
}

/** What the state of objects speaks about. Who still sends, relays, or has come to a standstill does so whatever their state. */
const OF_OBJECTS: ReadonlySet<Cause> = new Set(['unknown', 'missing-close', 'forgotten', 'not-reading', 'stale-pool']);

function byObjects(subject: Case, ties: Ties, outside: Judged): Judged | undefined {
  const { sockets } = subject;
  if (!OF_OBJECTS.has(outside.cause)) return undefined;
  const objects = sockets.flatMap((socket) => ties.objectOf(socket) ?? []);
  const all = sockets.length;
  const of = (count: number): string => `${formatNumber(count)} of ${formatNumber(all)}`;
  const most = (count: number): boolean => count > 0 && count >= NEARLY_ALL * all;
  const [type = 'object'] = objects.map((it) => it.type);

  const idle = objects.filter(({ pool }) => pool?.idle === true);
  if (most(idle.length)) {
    return because(outside, 'stale-pool', 'proven', [
      {
        fact: `${of(idle.length)} lie idle in ${idle[0]?.pool?.name ?? 'a pool'}`,
        says: 'the pool keeps them for the next request, and the other end has closed them',
      },
    ]);
  }
  const ended = objects.filter((it) => it.endDelivered === true && it.writableEnded !== true);
  if (most(ended.length)) {
    const half = ended.every(({ allowHalfOpen }) => allowHalfOpen === true);
    const isAnswered = !nearlyAll(sockets, isUnanswered);
    return because(outside, 'missing-close', isAnswered ? 'proven' : 'likely', [
      {
        fact: `the program was told of the end on ${of(ended.length)} (${type}), and has not ended its side`,
        says: half
          ? 'with allowHalfOpen, only the program itself can end them'
          : 'nothing has called end() or destroy() since',
      },
      ...(isAnswered ? [] : requestsOf(ties)),
    ]);
  }
  const unread = objects.filter((it) => it.neverRead === true);
  if (most(unread.length)) {
    const cause = outside.cause === 'not-reading' ? 'not-reading' : 'forgotten';
    return because(outside, cause, outside.cause === 'unknown' ? 'likely' : 'proven', [
      {
        fact: `nobody has begun to read from ${of(unread.length)} (${type})`,
        says: 'what came stays where it is, and the end behind it',
      },
    ]);
  }
  const paused = objects.filter((it) => it.paused === true);
  if (most(paused.length)) {
    return because(outside, 'not-reading', 'proven', [
      {
        fact: `reading is switched off on ${of(paused.length)} (${type})`,
        says: 'the program is not told of the end before it has taken what came before',
      },
    ]);
  }
  return byAbsence(subject, ties, outside, objects.length);
}

/** The kernel counts the SYN as a byte that was acknowledged. */
const SYN = 1;

/** Whoever has not sent anything back may still work on the answer, after which it closes. */
const isUnanswered = ({ bytesAcked, sendQueue = 0 }: TcpSocket): boolean =>
  bytesAcked !== undefined && bytesAcked + sendQueue <= SYN;

const nearlyAll = (sockets: Case['sockets'], is: (socket: TcpSocket) => boolean): boolean =>
  sockets.flatMap((it) => (is(it) ? [it] : [])).length >= NEARLY_ALL * sockets.length;

function requestsOf({ inside }: Ties): Evidence[] {
  const used = (inside.objects ?? []).filter(({ pool }) => pool?.idle === false);
  const [first] = used;
  if (!first) return [];
  return [
    {
      fact: `${plural(used.length, 'connection')} of ${first.pool?.name} ${used.length === 1 ? 'is' : 'are'} in use`,
      says: 'the program asks others itself, and may wait for them before it answers and closes',
    },
  ];
}

/** Sockets that no object stands for: nothing in the program can close them any more. */
function byAbsence(subject: Case, { inside }: Ties, outside: Judged, tied: number): Judged | undefined {
  const { sockets, traits } = subject;
  if (inside.objectsComplete !== true) return undefined;
  const gone = sockets.length - tied;
  if (gone < NEARLY_ALL * sockets.length) return undefined;
  const evidence = [
    {
      fact: `no object of the program stands for ${formatNumber(gone)} of ${formatNumber(sockets.length)}`,
      says: 'it has let go of them without closing, or a library outside of the runtime holds them',
    },
  ];
  if (outside.cause !== 'unknown') return { ...outside, evidence: [...evidence, ...outside.evidence] };
  if (traits?.reception === 'read') return because(outside, 'missing-close', 'likely', evidence);
  return traits?.reception === 'end' ? because(outside, 'forgotten', 'likely', evidence) : undefined;
}

function byStrands(subject: Case, inside: Inside, outside: Judged): Judged {
  const strands = inside.strands ?? [];
  const [deadlock] = inside.deadlocks ?? [];
  if (deadlock) {
    const evidence = {
      fact: `${deadlock.strands.join(', ')} wait for each other's locks`,
      says: 'a deadlock: none of them goes on before the process is restarted',
    };
    if (outside.cause === 'stalled') return because(outside, 'stalled', 'proven', [evidence]);
    if (outside.cause === 'unknown') return because(outside, 'stalled', 'likely', [evidence]);
    return { ...outside, evidence: [...outside.evidence, evidence] };
  }
  return byLoop(strands, outside) ?? byGoroutines(subject, strands, outside) ?? byThreads(strands, outside);
}

/** An event loop that was found computing. */
function byLoop(strands: Strand[], outside: Judged): Judged | undefined {
  const running = strands.find(({ state, frames }) => state === 'event loop blocked' && frames.length > 0);
  const frame = running && (ownFrame(running) ?? running.frames[0]);
  if (!frame || (outside.cause !== 'stalled' && outside.cause !== 'unknown')) return undefined;
  return because(outside, 'stalled', outside.cause === 'stalled' ? 'proven' : 'likely', [
    { fact: `the event loop runs ${placeText(frame)}`, says: 'it comes to nothing else before that returns' },
  ]);
}

/** So near to the number of sockets, a group of goroutines is the handlers of these. */
const SAME_NUMBER = 0.1;
const FEW = 5;

/** Handlers that are stuck and handlers that have returned look alike from outside, where a runtime reads on their behalf. */
function byGoroutines({ sockets, kind, traits }: Case, strands: Strand[], outside: Judged): Judged | undefined {
  const goroutines = strands.filter((it) => it.kind === 'goroutine');
  if (goroutines.length === 0 || kind !== 'held') return undefined;
  const own = groupStrands(goroutines.filter((it) => ownFrame(it) !== undefined));
  const matching = own.find(
    ({ count }) => Math.abs(count - sockets.length) <= Math.max(1, SAME_NUMBER * sockets.length),
  );
  const frame = matching && ownFrame(matching.strand);
  const doubtful = outside.cause === 'unknown' || (outside.confidence !== 'proven' && outside.cause !== 'stale-pool');
  if (matching && frame && sockets.length > 1 && doubtful) {
    const evidence = {
      fact: `${plural(matching.count, 'goroutine')} ${matching.count === 1 ? 'is' : 'are'} in ${placeText(frame)} (${matching.strand.state ?? 'state unknown'}), for ${plural(sockets.length, 'socket')}`,
      says: 'as many as if each served one of them and had not returned; or those that read have, and left these behind',
    };
    // Never sure: each connection may have a second goroutine, which waits to write while the one that read has returned.
    return because(outside, 'stalled', 'likely', [evidence]);
  }
  const most = Math.max(0, ...own.map(({ count }) => count));
  // What lies unread may wait in a queue of the program for a handler that is still to come.
  const wasRead = traits?.reception === 'read';
  if (!wasRead || outside.cause !== 'unknown' || most * 2 > sockets.length || sockets.length < FEW) return undefined;
  const evidence = {
    fact: `no more than ${plural(most, 'goroutine')} in the same place, for ${plural(sockets.length, 'socket')}`,
    says: 'the handlers have returned without closing',
  };
  return because(outside, 'missing-close', 'likely', [evidence]);
}

/** Threads with their stacks: at rest in a pool, or in the midst of the program's own code. */
function byThreads(strands: Strand[], outside: Judged): Judged {
  const threads = strands.filter(({ kind, frames }) => kind === 'thread' && frames.length > 0);
  if (outside.cause !== 'stalled' || threads.length === 0) return outside;
  const resting = threads.filter(isAtRest);
  if (resting.length === threads.length && outside.confidence !== 'proven') {
    const evidence = {
      fact: `all ${plural(threads.length, 'thread')} with a stack rest in their pools`,
      says: 'they wait for work, and none of them is stuck',
    };
    return { cause: 'unknown', confidence: 'undecided', evidence: [evidence] };
  }
  const working = threads.filter((it) => !isAtRest(it));
  const [largest] = groupStrands(working.filter((it) => ownFrame(it) !== undefined));
  const frame = largest && ownFrame(largest.strand);
  if (!largest || !frame) return outside;
  const total = working.reduce((sum, it) => sum + countOf(it), 0);
  const evidence = {
    fact: `${total === 1 ? 'the only thread' : `${formatNumber(largest.count)} of ${plural(total, 'thread')}`} with a stack ${largest.count === 1 ? 'is' : 'are'} in ${placeText(frame)}`,
    says: `${largest.count > 1 ? 'the same line of the program' : 'a line of the program'}, called and not returned`,
  };
  return { ...outside, evidence: [evidence, ...outside.evidence] };
}
