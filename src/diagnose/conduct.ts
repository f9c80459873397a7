import type { Case, WaitGroup } from '../model/finding.ts';
import type { EpollSets, Thread } from '../model/process.ts';
import { ageAtLeast } from './ages.ts';

/**
 * What the threads of a holder were doing, counted. A thread that is blocked in poll, select or recv watches none of the
 * sockets in CLOSE_WAIT for reading: their end is ready to be read, so the call would have returned at once.
 */
export type Conduct = {
  threads: number;
  /** At rest, ready for what comes: in accept, poll, or an epoll set that knows connections. */
  ready: number;
  /** Of these, in poll or in an epoll set: who would see that there is something to read. */
  watching: number;
  /** Of these, in a call that does not say what is watched: poll or select, where an acceptor may wait too. */
  polling: number;
  /** In none of the calls that are known, so perhaps running. */
  running: number;
  /** Computed all through the second look. */
  spinning: number;
  /** In uninterruptible sleep both times. */
  uninterruptible: number;
  /** The kernel's functions in which these sleep. */
  sleepsIn: string[];
  /** Wait for an answer on an outbound connection on which nothing has moved for long. */
  asking: number;
  /** Wait for something that is no TCP connection: a lock, a time, a child, a pipe, a file. */
  blocked: number;
};

/** Undefined when the threads were not looked at. */
export function conductOf(subject: Case): Conduct | undefined {
  const { process, waits } = subject;
  const threads = process?.threadList;
  if (!process || !waits || !threads || threads.length === 0) return undefined;
  const count = (is: (thread: Thread) => boolean): number => threads.filter(is).length;
  const sum = (is: (group: WaitGroup) => boolean): number =>
    waits.groups.reduce((total, group) => total + (is(group) ? group.threads : 0), 0);
  // Where other connections were not read, a set without known ones may have those.
  const sets = subject.siblings ? process.epoll : undefined;
  const patience = inVainAfter(subject);
  return {
    threads: threads.length,
    ready: count((thread) => thread.wait?.kind === 'accept' || isWatching(thread, sets)),
    watching: count((thread) => isWatching(thread, sets)),
    polling: count(({ wait }) => wait?.kind === 'events' && wait.fd === undefined),
    running: count(({ wait, state }) => !wait && state !== 'uninterruptible'),
    spinning: count(({ busy }) => busy !== undefined && busy >= SPINNING),
    uninterruptible: count(({ state }) => state === 'uninterruptible'),
    sleepsIn: [...new Set(threads.flatMap(({ sleepsIn }) => sleepsIn ?? []))],
    asking: sum(
      ({ asked, end, kind, silentMs = 0 }) =>
        asked === true && end?.port !== undefined && kind !== undefined && silentMs >= patience,
    ),
    blocked: sum(({ kind, end }) => kind !== undefined && !end && kind !== 'events' && kind !== 'accept'),
  };
}

/** Two ticks of twenty may be lost to others on a busy machine. */
const SPINNING = 0.9;
/**
 * Who asked waits in vain when no answer has come for as long as the oldest connection has been stuck, or for this long.
 * An answer within the first moments may be on its way.
 */
const LONG_WITHOUT_ANSWER_MS = 30_000;
const ON_ITS_WAY_MS = 2000;

export const inVainAfter = ({ sockets: [oldest] }: Case): number =>
  Math.max(ON_ITS_WAY_MS, Math.min(LONG_WITHOUT_ANSWER_MS, oldest ? ageAtLeast(oldest) : 0));

/** An epoll set without connections is that of a timer or of signals: who waits there serves nobody. */
function isWatching({ wait }: Thread, epoll: EpollSets | undefined): boolean {
  if (wait?.kind !== 'events') return false;
  const set = wait.fd === undefined ? undefined : epoll?.sets.find(({ fd }) => fd === wait.fd);
  return set === undefined || set.sockets.size > 0;
}

/** Whether a thread waits at this moment on a set that knows one of these sockets. */
export function isLoopAtRest({ process, sockets }: Case): boolean {
  const waitedOn = new Set(
    process?.threadList?.flatMap(({ wait }) => (wait?.kind === 'events' ? (wait.fd ?? []) : [])),
  );
  const sets = process?.epoll?.sets.filter(({ fd }) => waitedOn.has(fd)) ?? [];
  return sockets.some(({ inode }) => inode !== undefined && sets.some((set) => set.sockets.has(inode)));
}
