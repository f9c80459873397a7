import type { CloseOnExec, Process } from '../model/process.ts';
import { parseCloseOnExec } from '../parse/fdinfo.ts';
import { freezerFiles, parseFrozen } from '../parse/freezer.ts';
import { attempt } from './attempt.ts';
import { EpollReader } from './epoll.ts';
import { type Machine, readText } from './machine.ts';
import { lookAtThread, readSleep } from './thread-times.ts';

/** The sockets in CLOSE_WAIT that a process holds. */
export type StuckSockets = {
  inodesOf(process: Process): Iterable<number>;
  /** Whether something lies unread on any of them. */
  holdsUnread(process: Process): boolean;
};

/** More holders than this are not looked into any deeper: the report names the worst. */
const MOST_HOLDERS = 200;

/**
 * Adds to processes that hold stuck sockets what /proc tells of why: whether they are frozen, which sockets their event
 * loops know, what their descriptors do on exec, and which of their threads are busy. Nothing of it touches them.
 */
export function addEvidence(machine: Machine, holders: Process[], stuck: StuckSockets): void {
  const epoll = new EpollReader(machine);
  const looked = holders.slice(0, MOST_HOLDERS);
  for (const process of looked) {
    const frozen = readFrozen(machine, process.pid);
    if (frozen !== undefined) process.frozen = frozen;
    const sets = epoll.read(process);
    if (sets) process.epoll = sets;
    const closeOnExec = readCloseOnExec(machine, process, stuck);
    if (closeOnExec) process.closeOnExec = closeOnExec;
  }
  watchBusyThreads(machine, looked, stuck);
}

/** Whether the cgroup freezer has stopped it: of version 1 or 2, where both are mounted. */
export function readFrozen(machine: Machine, pid: number): boolean | undefined {
  const cgroup = attempt(() => readText(machine, `/proc/${pid}/cgroup`));
  let frozen: boolean | undefined;
  for (const path of freezerFiles(cgroup ?? '')) {
    frozen = attempt(() => parseFrozen(readText(machine, path))) ?? frozen;
    if (frozen) break;
  }
  return frozen;
}

/** Descriptors of a process that are asked for their flags. A program makes them all in the same way. */
const FLAGS_SAMPLE = 4;

function readCloseOnExec(machine: Machine, process: Process, stuck: StuckSockets): CloseOnExec | undefined {
  const { pid, sockets } = process;
  const result: CloseOnExec = { looked: 0, set: 0 };
  for (const inode of stuck.inodesOf(process)) {
    if (result.looked === FLAGS_SAMPLE) break;
    const [fd] = sockets?.get(inode) ?? [];
    if (fd === undefined) continue;
    const path = `/proc/${pid}/fdinfo/${fd}`;
    const set = attempt(() => parseCloseOnExec(readText(machine, path), path));
    if (set === undefined) continue;
    result.looked++;
    if (set) result.set++;
  }
  return result.looked > 0 ? result : undefined;
}

/** A thread that computes all this time without a pause does nothing else. */
const SECOND_LOOK_MS = 200;
/** So many running threads at once are a busy program, not one that spins. */
const MOST_RUNNING = 64;

/** Looks twice at threads that wait in no call, but only where unread data asks who should have read it. */
function watchBusyThreads(machine: Machine, holders: Process[], stuck: StuckSockets): void {
  const running = holders
    .filter((process) => stuck.holdsUnread(process))
    .flatMap(({ pid, threadList = [] }) => threadList.filter(({ wait }) => !wait).map((thread) => ({ pid, thread })));
  if (running.length === 0 || running.length > MOST_RUNNING) return;
  const before = running.map(({ pid, thread }) => lookAtThread(machine, pid, thread.tid));
  machine.pause(SECOND_LOOK_MS);
  running.forEach(({ pid, thread }, i) => {
    const first = before[i];
    const second = lookAtThread(machine, pid, thread.tid);
    if (!first || !second) return;
    // Passing through a state is not being in it.
    if (second.state === first.state) thread.state = second.state;
    const sleepsIn = thread.state === 'uninterruptible' ? readSleep(machine, pid, thread.tid) : undefined;
    if (sleepsIn !== undefined) thread.sleepsIn = sleepsIn;
    thread.busy = Math.min(1, (second.usedMs - first.usedMs) / SECOND_LOOK_MS);
  });
}
