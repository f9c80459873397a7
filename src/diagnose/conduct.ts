import type { Case, WaitGroup } from '../model/finding.ts';
import type { EpollSets, Thread } from '../model/process.ts';

/**
 * What the threads of a holder were doing, counted. A thread that is blocked in poll, select or recv watches none of the
 * sockets in CLOSE_WAIT for reading: their end is ready to be read, so the call would have returned at once.
 */
export type Conduct = {
  threads: number;
  /** At rest, ready for what comes: in accept, poll, or an epoll set that knows connections. */
  ready: number;
  /** In none of the calls that are known, so perhaps running. */
  running: number;
  /** Computed all through the second look. */
  spinning: number;
  /** In uninterruptible sleep both times. */
  uninterruptible: number;
  /** Wait for an answer on an outbound connection on which nothing has moved for long. */
  asking: number;
  /** Wait for something that is no TCP connection: a lock, a time, a child, a pipe, a file. */
  blocked: number;
};

/** Undefined when the threads were not looked at. */
export function conductOf({ process, waits }: Case): Conduct | undefined {
  const threads = process?.threadList;
  if (!process || !waits || !threads || threads.length === 0) return undefined;
  const count = (is: (thread: Thread) => boolean): number => threads.filter(is).length;
  const sum = (is: (group: WaitGroup) => boolean): number =>
    waits.groups.reduce((total, group) => total + (is(group) ? group.threads : 0), 0);
  return {
    threads: threads.length,
    ready: count((thread) => isReady(thread, process.epoll)),
    running: count(({ wait, state }) => !wait && state !== 'uninterruptible'),
    spinning: count(({ busy }) => busy !== undefined && busy >= SPINNING),
    uninterruptible: count(({ state }) => state === 'uninterruptible'),
    asking: sum(isAsking),
    blocked: sum(({ kind, end }) => kind !== undefined && !end && kind !== 'events' && kind !== 'accept'),
  };
}

/** Two ticks of twenty may be lost to others on a busy machine. */
const SPINNING = 0.9;
/** So long without an answer is no answer on its way, to whoever asked. */
export const LONG_WITHOUT_ANSWER_MS = 5000;

const isAsking = ({ asked, end, kind, silentMs = 0 }: WaitGroup): boolean =>
  asked === true && end?.port !== undefined && kind !== undefined && silentMs >= LONG_WITHOUT_ANSWER_MS;

/** An epoll set without connections is that of a timer or of signals: who waits there serves nobody. */
function isReady({ wait }: Thread, epoll: EpollSets | undefined): boolean {
  if (wait?.kind === 'accept') return true;
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
