import type { EpollSets, Process, SocketFds } from '../model/process.ts';
import { isRingAtWork, parseEpollEntries } from '../parse/fdinfo.ts';
import { attempt } from './attempt.ts';
import { type Machine, readText } from './machine.ts';
import { inodesByFd } from './socket-fds.ts';

/**
 * While the kernel prints an epoll set it holds the set's mutex, which the event loop of the process needs too: 0.3 microseconds
 * an entry, and it prints anew with a larger buffer until all fits. Processes with more sockets are left in peace.
 */
const MOST_SOCKETS = 5000;
/** Names of descriptors that are read for one report, at 3 microseconds each. */
const MOST_LINKS = 4000;
const MOST_LINKS_EACH = 1000;

const EPOLL = 'anon_inode:[eventpoll]';
const IO_URING = 'anon_inode:[io_uring]';

/** How many sockets a process may have, and how many names of its other descriptors are read: of each process, and of all. */
export type EpollLimits = { sockets: number; linksEach: number; links: number };

const OF_A_REPORT: EpollLimits = { sockets: MOST_SOCKETS, linksEach: MOST_LINKS_EACH, links: MOST_LINKS };

/** Reads the epoll sets of processes, as many as one report may unless other limits are set. */
export class EpollReader {
  readonly #machine: Machine;
  readonly #limits: EpollLimits;
  #linksLeft: number;

  constructor(machine: Machine, limits: EpollLimits = OF_A_REPORT) {
    this.#machine = machine;
    this.#limits = limits;
    this.#linksLeft = limits.links;
  }

  /** Undefined when it may not be looked at, or has too many sockets. */
  read({ pid, sockets, openFds = 0, threadList = [] }: Process): EpollSets | undefined {
    const most = this.#limits;
    if (!sockets || Math.max(sockets.size, openFds - most.linksEach) > most.sockets) return undefined;
    const others = attempt(() => this.#machine.list(`/proc/${pid}/fd`));
    if (!others || others.length > most.sockets + most.linksEach) return undefined;
    const byFd = inodesByFd(sockets);
    const waitedOn = new Set(threadList.flatMap(({ wait }) => (wait?.kind === 'events' ? (wait.fd ?? []) : [])));
    // Those that a thread waits on first: they are epoll sets for sure.
    const fds = others
      .map(Number)
      .filter((fd) => !byFd.has(fd))
      .sort((a, b) => Number(waitedOn.has(b)) - Number(waitedOn.has(a)) || a - b);
    const looked = fds.slice(0, Math.min(most.linksEach, this.#linksLeft));
    this.#linksLeft -= looked.length;
    return this.#readSets(pid, looked, { sockets, byFd }, looked.length === fds.length);
  }

  #readSets(pid: number, fds: number[], held: HeldSockets, all: boolean): EpollSets {
    const result: EpollSets = { sets: [], complete: all };
    for (const fd of fds) {
      const name = attempt(() => this.#machine.link(`/proc/${pid}/fd/${fd}`));
      const path = `/proc/${pid}/fdinfo/${fd}`;
      if (name === IO_URING && isRingAtWork(attempt(() => readText(this.#machine, path)) ?? ''))
        result.complete = false;
      if (name !== EPOLL) continue;
      const entries = attempt(() => parseEpollEntries(readText(this.#machine, path), path));
      if (entries) result.sets.push({ fd, sockets: inodesOf(entries, held) });
      else result.complete = false;
    }
    return result;
  }
}

type HeldSockets = { sockets: SocketFds; byFd: ReadonlyMap<number, number> };

/** Before Linux 4.13 only the number tells which socket it is, which may be another's by now. */
function inodesOf(entries: ReturnType<typeof parseEpollEntries>, { sockets, byFd }: HeldSockets): Map<number, number> {
  const events = new Map<number, number>();
  for (const { fd, inode = byFd.get(fd), events: asked } of entries) {
    if (inode !== undefined && sockets.has(inode)) events.set(inode, asked);
  }
  return events;
}
