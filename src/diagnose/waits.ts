import type { Case, Evidence, PeerGroup, WaitGroup, Waits } from '../model/finding.ts';
import type { Process, Thread } from '../model/process.ts';
import { nextWith } from '../model/runs.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { TcpSocket } from '../model/socket.ts';
import { SocketRows } from '../model/socket-table.ts';
import { formatDuration, formatEndpoint, formatNumber, plural } from '../model/words.ts';
import type { ListenerIndex } from './listeners.ts';

/** So many sockets are found by looking through the column for each. */
const FEW = 8;

/** Says what the threads of processes wait for, in terms of connections. */
export class WaitReader {
  readonly #snapshot: Snapshot;
  readonly #listeners: ListenerIndex;
  /** Of each process, by descriptor: only of descriptors that a thread waits on. */
  readonly #inodes = new Map<Process, Map<number, number>>();
  /** Sockets that some thread waits on, by inode. */
  #sockets: Map<number, TcpSocket> | undefined;

  constructor(snapshot: Snapshot, listeners: ListenerIndex) {
    this.#snapshot = snapshot;
    this.#listeners = listeners;
  }

  of(process: Process | undefined): Waits | undefined {
    const threads = process?.threadList;
    if (!process || !threads || threads.length === 0) return undefined;
    const inodes = this.#inodesOf(process);
    const groups = new Map<string, WaitGroup>();
    for (const { wait } of threads) {
      add(groups, this.#describe(wait, wait?.fd === undefined ? undefined : inodes.get(wait.fd)));
    }
    return { threads: threads.length, groups: largestFirst(groups) };
  }

  #describe(wait: Thread['wait'], inode: number | undefined): WaitGroup {
    if (!wait) return { threads: 1 };
    const { kind } = wait;
    if (inode === undefined) return { threads: 1, kind };
    const socket = this.#socket(inode);
    if (!socket) {
      const listener = kind === 'accept' ? this.#snapshot.listeners.find((it) => it.inode === inode) : undefined;
      return listener
        ? { threads: 1, kind, end: { ...listener.local, sockets: 0 } }
        : { threads: 1, kind, socket: this.#snapshot.byState.ESTABLISHED === undefined ? 'unread' : 'other' };
    }
    const silentMs = silence(socket);
    const asked = kind === 'receive' && awaitsAnswer(socket, 0);
    return {
      threads: 1,
      kind,
      end: this.#endOf(socket),
      ...(silentMs !== undefined && { silentMs }),
      ...(asked && { asked }),
    };
  }

  #endOf(socket: TcpSocket): PeerGroup {
    const { address, port } = socket.peer;
    if (this.#listeners.of(socket)) return { address, sockets: 0 };
    const service = this.#snapshot.services.get(port);
    return { address, port, sockets: 0, ...(service !== undefined && { service }) };
  }

  #inodesOf(process: Process): Map<number, number> {
    const known = this.#inodes.get(process);
    if (known) return known;
    const inodes = inodesByFd(process);
    this.#inodes.set(process, inodes);
    return inodes;
  }

  #socket(inode: number): TcpSocket | undefined {
    if (!this.#sockets) {
      const waitedOn = new Set<number>();
      for (const process of this.#snapshot.processes.values()) {
        const inodes = this.#inodesOf(process);
        for (const { wait } of process.threadList ?? []) waitedOn.add(inodes.get(wait?.fd ?? -1) ?? -1);
      }
      const found = new Map<number, TcpSocket>();
      const add = (inode: number, row: number): void => {
        const socket = table.at(row);
        if (socket) found.set(inode, socket);
      };
      const { table, rows } = SocketRows.of(this.#snapshot.sockets);
      waitedOn.delete(-1);
      if (waitedOn.size > FEW) {
        for (const row of rows) add(table.inode[row] ?? 0, waitedOn.has(table.inode[row] ?? 0) ? row : -1);
      } else {
        for (const inode of waitedOn) add(inode, rows[nextWith(inode, table.inode, rows, 0, rows.length)] ?? -1);
      }
      this.#sockets = found;
    }
    return this.#sockets.get(inode);
  }
}

/** Only descriptors that a thread waits on: a process may have 100,000. */
function inodesByFd({ threadList = [], sockets }: Process): Map<number, number> {
  const fds = new Set(threadList.flatMap(({ wait }) => wait?.fd ?? []));
  const inodes = new Map<number, number>();
  if (fds.size === 0 || !sockets) return inodes;
  if (sockets.inodeAt) {
    for (const fd of fds) {
      const inode = sockets.inodeAt(fd);
      if (inode !== undefined) inodes.set(fd, inode);
    }
    return inodes;
  }
  for (const inode of sockets.keys()) {
    for (const fd of sockets.get(inode) ?? []) if (fds.has(fd)) inodes.set(fd, inode);
  }
  return inodes;
}

/**
 * Whether this side spoke last, by at least so much. One that only waits for what may come, as for news, was spoken to last.
 * Both in one tick are a question without an answer for a thread that waits, and else as likely a quick answer.
 */
export const awaitsAnswer = ({ state, lastDataSentMs, lastDataReceivedMs }: TcpSocket, byMs = 1): boolean =>
  state === 'ESTABLISHED' &&
  lastDataSentMs !== undefined &&
  lastDataReceivedMs !== undefined &&
  lastDataSentMs + byMs <= lastDataReceivedMs;

export function silence({ lastDataSentMs, lastDataReceivedMs }: TcpSocket): number | undefined {
  if (lastDataSentMs === undefined || lastDataReceivedMs === undefined) return undefined;
  return Math.min(lastDataSentMs, lastDataReceivedMs);
}

const largestFirst = (groups: Map<string, WaitGroup>): WaitGroup[] =>
  [...groups.values()].sort((a, b) => b.threads - a.threads);

function add(groups: Map<string, WaitGroup>, group: WaitGroup): void {
  const key = `${group.kind} ${group.end?.address} ${group.end?.port}`;
  const same = groups.get(key);
  if (same) merge(same, group);
  else groups.set(key, group);
}

/** The silence of a group is that of its least silent connection; unknown when one of them is. */
function merge(group: WaitGroup, other: WaitGroup): void {
  group.threads += other.threads;
  if (group.silentMs === undefined || other.silentMs === undefined) delete group.silentMs;
  else group.silentMs = Math.min(group.silentMs, other.silentMs);
  if (!other.asked) delete group.asked;
}

/** So long without a byte in either direction is no answer on its way. */
const LONG_SILENCE_MS = 30_000;

const onConnection = ({ kind }: WaitGroup): boolean => kind === 'receive' || kind === 'send' || kind === 'connect';

const isStuckOnConnection = (group: WaitGroup): boolean =>
  onConnection(group) && group.end !== undefined && (group.silentMs ?? 0) >= LONG_SILENCE_MS;

/** Whether no thread does anything but wait on a connection on which nothing has moved for long. */
export const areAllStuck = ({ groups }: Waits): boolean => groups.every(isStuckOnConnection);

/** Where threads call and nothing answers: outbound connections only, for a client need not say anything. */
export const silentServices = (waits: Waits | undefined): string[] =>
  (waits?.groups ?? []).flatMap((group) =>
    isStuckOnConnection(group) && group.end?.port !== undefined ? nameOf(group.end) : [],
  );

function nameOf({ address, port, service }: PeerGroup): string {
  if (port === undefined) return `client ${address}`;
  return `${formatEndpoint({ address, port })}${service === undefined ? '' : ` (${service})`}`;
}

/** Of all processes of a case together: the workers of a server do the same work. `processes` were looked at. */
export function waitsTogether({ waits: own, coHolders }: Case): (Waits & { processes: number }) | undefined {
  const all = [own, ...coHolders.map(({ waits }) => waits)].filter((waits) => waits !== undefined);
  if (all.length === 0) return undefined;
  const groups = new Map<string, WaitGroup>();
  for (const group of all.flatMap((waits) => waits.groups)) add(groups, { ...group });
  const threads = all.reduce((sum, waits) => sum + waits.threads, 0);
  return { threads, groups: largestFirst(groups), processes: all.length };
}

/** Those of its threads that are ready for what comes: in accept, or waiting for events. */
export const readyEvidence = (waits: Waits, whose: string): Evidence[] =>
  waits.groups
    .filter(({ kind }) => kind === 'accept' || kind === 'events')
    .slice(0, 2)
    .map((group) => ({
      fact: sentence(group, waits, whose),
      says: 'the program is free to do something about these, and does not',
    }));

/** What a process waits for, in words: what its threads do on connections, or else what they do at all. */
export function waitEvidence(waits: Waits, whose: string): Evidence[] {
  const telling = waits.groups.filter((group) => group.end !== undefined);
  const shown = telling.length > 0 ? telling.slice(0, 3) : waits.groups.slice(0, 2);
  return shown.map((group) => ({ fact: sentence(group, waits, whose), says: meaning(group) }));
}

function sentence(group: WaitGroup, waits: Waits, whose: string): string {
  const { threads } = group;
  if (waits.threads === 1) return `the only thread of ${whose} ${doing(group, true)}`;
  return `${formatNumber(threads)} of ${plural(waits.threads, 'thread')} of ${whose} ${doing(group, threads === 1)}`;
}

/** For one thread, and for several. */
export const DOING: Record<NonNullable<WaitGroup['kind']>, [string, string]> = {
  receive: ['waits to receive', 'wait to receive'],
  send: ['waits to send', 'wait to send'],
  connect: ['waits to connect', 'wait to connect'],
  accept: ['waits to accept', 'wait to accept'],
  events: ['waits for events', 'wait for events'],
  lock: ['waits for a lock or a condition', 'wait for a lock or a condition'],
  sleep: ['sleeps', 'sleep'],
  child: ['waits for a child process', 'wait for a child process'],
};

function doing({ kind, end, silentMs }: WaitGroup, one: boolean): string {
  if (kind === undefined) return one ? 'runs, or waits for something else' : 'run, or wait for something else';
  const verb = DOING[kind][one ? 0 : 1];
  if (!end) return verb;
  const silent = silentMs === undefined ? '' : `, silent for ${formatDuration(silentMs)}`;
  const preposition = kind === 'receive' ? 'from' : kind === 'accept' ? 'at' : 'to';
  return `${verb} ${preposition} ${nameOf(end)}${silent}`;
}

function meaning(group: WaitGroup): string {
  if (isStuckOnConnection(group)) return 'nothing comes, and it does nothing else meanwhile';
  if (group.kind === 'accept') return 'ready to accept';
  if (onConnection(group)) return waitsOn(group);
  if (group.kind === 'events') return 'an event loop at rest, or one that waits for something else';
  if (group.kind === 'lock') return 'for work, or for a thread that does not let go';
  if (group.kind === 'sleep') return 'for a time, or between two tries';
  return group.kind === 'child' ? 'for its end' : 'busy, or in a call that unclosed does not know';
}

function waitsOn({ end, socket }: WaitGroup): string {
  if (end) return 'it waits for the other side';
  if (socket === 'unread') return 'on a socket of which nothing is known';
  return socket === 'other' ? 'on a socket that is no TCP connection' : 'on a file or a pipe, not on a connection';
}
