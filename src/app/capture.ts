import { standingOf } from '../diagnose/ages.ts';
import { isLoopback, ListenerIndex } from '../diagnose/listeners.ts';
import { findHolders, type Walk, type Wanted } from '../kernel/holders.ts';
import type { Machine, ProcessEntry } from '../kernel/machine.ts';
import { readText } from '../kernel/machine.ts';
import { listNetns, readMounts } from '../kernel/netns.ts';
import { describeHolder, Identities } from '../kernel/process-facts.ts';
import { SystemError, UnclosedError } from '../model/errors.ts';
import { DEFAULT_LIMITS } from '../model/finding.ts';
import type { Process, SocketFds } from '../model/process.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Listener, TcpSocket } from '../model/socket.ts';
import { parseStatus } from '../parse/proc-pid.ts';
import { parseServices } from '../parse/services.ts';
import { type ClosedSearch, findClosedButHeld } from './closed-but-held.ts';
import { fdsDenied, holderUnknown, netnsUnknown, procHidden } from './gaps.ts';
import { addStates, countStates, NamespaceReader } from './namespaces.ts';

/** What to look at. Times in milliseconds. */
export type CaptureOptions = {
  /** CLOSE_WAIT for at least this long is stuck. */
  stuckAfterMs?: number;
  /** Look for holders among these processes only. */
  pids?: number[];
  /** Look for the holders of young CLOSE_WAIT sockets too, not only of stuck ones. */
  young?: boolean;
  /** Look at the descriptors of every process, so that no further holder of a socket is missed. */
  allHolders?: boolean;
  /** Search for descriptors of closed sockets: when counters say there are some, always, or never. */
  closedButHeld?: 'auto' | 'always' | 'never';
};

/** Takes a snapshot of a machine. What cannot be read becomes a gap of the snapshot. */
export function captureFrom(machine: Machine, options: CaptureOptions = {}): Snapshot {
  const begun = machine.now();
  const privileges = { root: rightsOf(machine) };
  const reader = new NamespaceReader(machine, privileges);
  try {
    const processes = machine.processes();
    requireProcesses(processes, options.pids);
    const mounts = readMounts(machine);
    if (mounts.hidepid !== undefined && !privileges.root) reader.gaps.push(procHidden(mounts.hidepid));
    for (const entry of listNetns(machine, processes, mounts)) reader.readStuck(entry);
    if (!reader.readable) {
      const [gap] = reader.gaps;
      throw new UnclosedError(
        'NOTHING_READABLE',
        gap?.what ?? 'no TCP table could be read',
        gap?.remedy ?? 'run as root',
      );
    }
    const unseen = processes.filter(({ netns, fdCount }) => netns === undefined && fdCount !== 0).map(({ pid }) => pid);
    if (unseen.length > 0) reader.gaps.push(netnsUnknown(unseen, privileges));

    const found = search(machine, reader, processes, options);
    const { walk, unowned } = found;
    requireReadable(walk, options.pids);
    if (walk && walk.denied.length > 0) reader.gaps.push(fdsDenied(walk.denied, unowned, privileges));
    else if (unowned > 0 && !options.pids) reader.gaps.push(holderUnknown(unowned));
    return assemble(machine, reader, processes, found, begun);
  } finally {
    reader.close();
  }
}

function rightsOf(machine: Machine): boolean {
  try {
    return parseStatus(readText(machine, '/proc/self/status'), '/proc/self/status').uid === 0;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return false;
  }
}

function requireProcesses(processes: ProcessEntry[], pids: number[] = []): void {
  for (const pid of pids) {
    if (processes.some((entry) => entry.pid === pid)) continue;
    throw new UnclosedError(
      'NO_SUCH_PROCESS',
      `no process has pid ${pid}`,
      'it may have ended, or live in another pid namespace',
    );
  }
}

/** Nothing found in a process that may not be read is no answer. */
function requireReadable(walk: Walk | undefined, pids: number[] = []): void {
  const [pid] = pids;
  if (pid === undefined || !walk || !pids.every((it) => walk.denied.includes(it))) return;
  throw new UnclosedError(
    'FDS_DENIED',
    `/proc/${pid}/fd: permission denied`,
    'run as root, as the user of that process, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH',
  );
}

type Found = {
  /** Absent when there was no reason to look at descriptors. */
  walk?: Walk;
  /** Sockets in other states; absent when they were not read. */
  others?: TcpSocket[];
  /** Wanted sockets without a known holder. */
  unowned: number;
  closed: ClosedSearch;
};

/** Decides what is worth looking for, and looks: nothing stuck means that no descriptor is looked at at all. */
function search(machine: Machine, reader: NamespaceReader, processes: ProcessEntry[], options: CaptureOptions): Found {
  const wanted = wantedSockets(reader, options);
  const unlisted = reader.unlisted();
  const mode = options.closedButHeld ?? 'auto';
  const searchAll = mode === 'always' || (mode === 'auto' && (unlisted ?? 0) >= CLOSED_WORTH_A_WALK && !options.pids);
  if (wanted.inodes.size === 0 && !searchAll && !options.pids) {
    return { unowned: 0, closed: unlisted === 0 ? { found: [], atMost: 0 } : atMost(unlisted) };
  }
  const walk = findHolders(machine, processes, {
    ...wanted,
    ...(options.pids && { only: new Set(options.pids) }),
    everywhere: options.allHolders === true || searchAll,
  });
  const others = reader.readOthers();
  const closed =
    mode === 'never' || unlisted === 0 ? atMost(unlisted) : findClosedButHeld(machine, reader, walk, others, unlisted);
  return { walk, others, unowned: options.pids ? 0 : walk.missing, closed };
}

/**
 * From so many TCP sockets that are in no table on, every process is searched for them (2 microseconds a descriptor);
 * below, only the processes that are looked at anyway. A few are normal: a socket is in no table until it is connected.
 */
const CLOSED_WORTH_A_WALK = 10;

const atMost = (unlisted: number | undefined): ClosedSearch =>
  unlisted === undefined ? {} : unlisted === 0 ? { found: [], atMost: 0 } : { atMost: unlisted };

type Sought = Pick<Wanted, 'inodes' | 'netns' | 'uids' | 'cgroups'>;

/** The sockets whose holder matters: stuck ones, and the listeners of those that nobody has accepted. */
function wantedSockets(reader: NamespaceReader, options: CaptureOptions): Sought {
  const limit = options.stuckAfterMs ?? DEFAULT_LIMITS.stuckAfterMs;
  const index = new ListenerIndex(reader.listeners);
  const sought: Sought = { inodes: new Map(), netns: new Set(), uids: new Set(), cgroups: new Set() };
  for (const socket of reader.sockets) {
    if (socket.state !== 'CLOSE_WAIT') continue;
    if (!options.young && standingOf(socket, limit) === 'young') continue;
    const held = socket.inode === undefined ? index.of(socket) : socket;
    if (held?.inode === undefined) continue;
    sought.inodes.set(held.inode, false);
    sought.netns.add(held.netns);
    if (held.uid !== undefined) sought.uids.add(held.uid);
    if (held.cgroupId !== undefined) sought.cgroups.add(held.cgroupId);
  }
  return sought;
}

function assemble(
  machine: Machine,
  reader: NamespaceReader,
  processes: ProcessEntry[],
  { walk, others, closed }: Found,
  begun: number,
): Snapshot {
  const ends = others ? otherEnds(reader.sockets, others) : new Set<TcpSocket>();
  const holders = describeHolders(machine, processes, walk, reader, ends, closed);
  const kept = others && heldOrOpposite(others, holders, ends);
  const byState = countStates(reader.sockets, reader.listeners.length);
  if (others) addStates(byState, others);
  const takenAt = machine.now();
  const tcpSockets = reader.namespaces.reduce<number | undefined>(
    (sum, { sockets }) => (sum === undefined || sockets === undefined ? undefined : sum + sockets),
    0,
  );
  return {
    takenAt,
    tookMs: takenAt - begun,
    source: machine.source,
    host: machine.host(),
    namespaces: reader.namespaces.map(({ id, name, sockets }) => ({
      id,
      ...(name !== undefined && { name }),
      ...(sockets !== undefined && { sockets }),
    })),
    processCount: processes.length,
    ...(tcpSockets !== undefined && { tcpSockets }),
    byState,
    sockets: reader.sockets.concat(kept ?? []),
    listeners: reader.listeners,
    processes: holders,
    ...(closed.found && { closedButHeld: closed.found }),
    ...(closed.atMost !== undefined && { closedButHeldAtMost: closed.atMost }),
    services: holders.size > 0 ? readServices(machine) : new Map(),
    gaps: reader.gaps,
    reading: {
      netlink: reader.namespaces.filter(({ tables }) => tables !== undefined).length,
      text: reader.namespaces.filter(({ tables, sockets }) => tables === undefined && sockets !== undefined).length,
      lookedAt: walk?.lookedAt ?? 0,
      leftOut: walk?.skipped ?? 0,
    },
  };
}

function readServices(machine: Machine): Map<number, string> {
  try {
    return parseServices(readText(machine, '/etc/services'));
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return parseServices(undefined);
  }
}

/** Of the sockets in other states those that one of the holders has, and those at the other end of a CLOSE_WAIT socket. */
function heldOrOpposite(others: TcpSocket[], holders: Map<number, Process>, ends: Set<TcpSocket>): TcpSocket[] {
  const byInode = new Map<number, TcpSocket>();
  for (const socket of others) if (socket.inode !== undefined) byInode.set(socket.inode, socket);
  const kept = new Set(ends);
  if (byInode.size > 0) {
    for (const { sockets } of holders.values()) {
      for (const inode of sockets?.keys() ?? []) {
        const socket = byInode.get(inode);
        if (socket) kept.add(socket);
      }
    }
  }
  return [...kept];
}

/** The other ends of CLOSE_WAIT sockets, where they are on this machine: the same addresses and ports, the other way. */
function otherEnds(sockets: TcpSocket[], others: TcpSocket[]): Set<TcpSocket> {
  const ends = new Set<TcpSocket>();
  if (others.length === 0) return ends;
  const ports = new Map<number, TcpSocket[]>();
  for (const other of others) {
    const key = other.local.port * 65_536 + other.peer.port;
    const same = ports.get(key);
    if (same) same.push(other);
    else ports.set(key, [other]);
  }
  for (const { local, peer } of sockets) {
    for (const other of ports.get(peer.port * 65_536 + local.port) ?? []) {
      if (other.local.address === peer.address && other.peer.address === local.address) ends.add(other);
    }
  }
  return ends;
}

/**
 * Describes every process that holds something which the report speaks of: a stuck socket, the listener it came in by,
 * its other end, or a closed socket.
 */
function describeHolders(
  machine: Machine,
  processes: ProcessEntry[],
  walk: Walk | undefined,
  reader: NamespaceReader,
  ends: Set<TcpSocket>,
  closed: ClosedSearch,
): Map<number, Process> {
  const holders = new Map<number, Process>();
  if (!walk) return holders;
  const relevant = new Set<number>();
  for (const { inode } of [...ends, ...concernedListeners(reader)]) if (inode !== undefined) relevant.add(inode);
  const holdsClosed = new Set(closed.found?.map(({ pid }) => pid));
  const identities = new Identities(machine);
  for (const entry of processes) {
    const table = walk.tables.get(entry.pid);
    if (!table) continue;
    const named = walk.holders.has(entry.pid) || holdsClosed.has(entry.pid);
    if (!named && !holdsAny(table.sockets, relevant)) continue;
    const process = describeHolder(machine, entry, table, identities);
    if (process) holders.set(entry.pid, process);
  }
  return holders;
}

function holdsAny(sockets: SocketFds, inodes: Set<number>): boolean {
  for (const inode of sockets.keys()) if (inodes.has(inode)) return true;
  return false;
}

/** Listeners that the sockets came in by, and local ones that they go out to. */
function concernedListeners({ sockets, listeners }: NamespaceReader): Listener[] {
  const ports = new Set<number>();
  for (const { local, peer } of sockets) {
    ports.add(local.port);
    if (isLoopback(peer.address) || peer.address === local.address) ports.add(peer.port);
  }
  return listeners.filter(({ local }) => ports.has(local.port));
}
