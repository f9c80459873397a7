import { isLoopback } from '../diagnose/listeners.ts';
import { attempt } from '../kernel/attempt.ts';
import { addEvidence } from '../kernel/holder-evidence.ts';
import type { Walk } from '../kernel/holders.ts';
import { LibraryBudget } from '../kernel/libraries.ts';
import { type Machine, OWN_NETNS, type ProcessEntry, readText } from '../kernel/machine.ts';
import { describeHolder, Identities } from '../kernel/process-facts.ts';
import { readThreads } from '../kernel/threads.ts';
import { SystemError } from '../model/errors.ts';
import type { Process, SocketFds } from '../model/process.ts';
import { endOfRun } from '../model/runs.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Listener, TcpSocket } from '../model/socket.ts';
import type { SocketRows } from '../model/socket-table.ts';
import { parseServices } from '../parse/services.ts';
import { parseFileNr, parsePortRange } from '../parse/sysctl.ts';
import { addStates, countStates, type NamespaceReader } from './namespaces.ts';
import type { Found } from './search.ts';
import { StuckInTable } from './stuck-sockets.ts';

/** Puts together what was read: the snapshot holds what a report can speak of, and no more. */
export function assemble(
  machine: Machine,
  reader: NamespaceReader,
  processes: ProcessEntry[],
  found: Found,
  { begun, takenAt }: { begun: number; takenAt: number },
): Snapshot {
  const { walk, others, closed } = found;
  const { name, kernel, arch } = machine.host();
  const ends = others ? otherEnds(reader.sockets.list(), others) : new Set<TcpSocket>();
  const holders = describeHolders(machine, processes, reader, found, ends, { arch, begun });
  const kept = others && heldOrOpposite(others, holders, ends);
  const byState = countStates(reader.sockets, reader.listeners.length);
  if (others) addStates(byState, others);
  for (const socket of kept ?? []) reader.sockets.push(socket);
  const tcpSockets = reader.counted;
  const localPorts = holders.size > 0 ? attempt(() => parsePortRange(readText(machine, PORT_RANGE))) : undefined;
  const files = holders.size > 0 ? attempt(() => parseFileNr(readText(machine, '/proc/sys/fs/file-nr'))) : undefined;
  return {
    takenAt,
    tookMs: machine.now() - begun,
    source: machine.source,
    host: { name, kernel },
    namespaces: reader.namespaces.map(({ id, name, sockets, source, entry }) => ({
      id,
      read: source !== undefined,
      ...(entry.paths.includes(OWN_NETNS) && { own: true as const, ...(localPorts !== undefined && { localPorts }) }),
      ...(name !== undefined && { name }),
      ...(sockets !== undefined && { sockets }),
    })),
    processCount: processes.length,
    ...(tcpSockets !== undefined && { tcpSockets }),
    byState,
    sockets: reader.sockets.list(),
    listeners: reader.listeners,
    processes: holders,
    ...(closed.found && { closedButHeld: closed.found }),
    ...(closed.atMost !== undefined && { closedButHeldAtMost: closed.atMost }),
    ...(files && { files }),
    services: holders.size > 0 ? readServices(machine) : new Map(),
    gaps: reader.gaps,
    reading: {
      source: reader.source,
      ...(reader.bpfRefused !== undefined && { bpfRefused: reader.bpfRefused }),
      netlink: reader.namespaces.filter(({ source }) => source === 'netlink').length,
      text: reader.namespaces.filter(({ source }) => source === 'text').length,
      lookedAt: walk?.lookedAt ?? 0,
      leftOut: walk?.skipped ?? 0,
      asRoot: reader.asRoot,
    },
  };
}

/** Of the namespace of whoever reads it. */
const PORT_RANGE = '/proc/sys/net/ipv4/ip_local_port_range';

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
function otherEnds(sockets: SocketRows, others: TcpSocket[]): Set<TcpSocket> {
  const ends = new Set<TcpSocket>();
  if (others.length === 0) return ends;
  const ports = new Map<number, TcpSocket[]>();
  for (const other of others) {
    const key = other.local.port * 65_536 + other.peer.port;
    const same = ports.get(key);
    if (same) same.push(other);
    else ports.set(key, [other]);
  }
  const { table, rows } = sockets;
  for (const row of rows) {
    const port = table.ends[table.end[row] ?? 0]?.local.port ?? 0;
    const candidates = ports.get(table.peerPortAt(row) * 65_536 + port) ?? NO_SOCKETS;
    const socket = candidates.length > 0 ? table.at(row) : undefined;
    if (!socket) continue;
    const { local, peer } = socket;
    for (const other of candidates) {
      if (other.local.address === peer.address && other.peer.address === local.address) ends.add(other);
    }
  }
  return ends;
}

const NO_SOCKETS: readonly TcpSocket[] = [];

/** Threads of holders that are looked at in one report: 15 microseconds each. */
const MOST_THREADS = 2000;

/**
 * Describes every process that holds something which the report speaks of: a stuck socket, the listener it came in by,
 * its other end, or a closed socket.
 */
function describeHolders(
  machine: Machine,
  processes: ProcessEntry[],
  reader: NamespaceReader,
  { walk, closed }: Found,
  ends: Set<TcpSocket>,
  { arch, begun }: { arch: string; begun: number },
): Map<number, Process> {
  const holders = new Map<number, Process>();
  if (!walk) return holders;
  const relevant = new Set<number>();
  for (const { inode } of [...ends, ...concernedListeners(reader)]) if (inode !== undefined) relevant.add(inode);
  const holdsClosed = new Set(closed.found?.map(({ pid }) => pid));
  const identities = new Identities(machine);
  const budget = new LibraryBudget();
  let threadsLeft = MOST_THREADS;
  for (const entry of [...processes, ...unlisted(processes, walk)]) {
    const table = walk.tables.get(entry.pid);
    if (!table) continue;
    const named = walk.holders.has(entry.pid) || holdsClosed.has(entry.pid);
    if (!named && !holdsAny(table.sockets, relevant)) continue;
    const process = describeHolder(machine, entry, table, identities, named ? budget : undefined);
    if (!process || isYoungerThan(process, begun)) continue;
    holders.set(entry.pid, process);
    if (!walk.holders.has(entry.pid)) continue;
    const threads = readThreads(machine, entry.pid, arch, threadsLeft);
    if (!threads || threads.length === 0) continue;
    process.threadList = threads;
    threadsLeft -= threads.length;
  }
  const named = [...holders.values()].filter(({ pid }) => walk.holders.has(pid));
  addEvidence(machine, named, new StuckInTable(reader.sockets));
  return holders;
}

/**
 * Processes that only a BPF iterator shows: their first thread has ended, and with it what /proc/PID says of namespaces
 * and descriptors, while others go on and hold them.
 */
function unlisted(processes: ProcessEntry[], { tables }: Walk): ProcessEntry[] {
  const listed = new Set(processes.map(({ pid }) => pid));
  return [...tables.keys()].filter((pid) => !listed.has(pid)).map((pid) => ({ pid }));
}

/** The start time is in ticks and seconds, so this much later is later. */
const START_SLACK_MS = 1500;

/** A process that began after the look did: its pid was another's when the descriptors were read. */
const isYoungerThan = ({ startedAt }: Process, begun: number): boolean =>
  startedAt !== undefined && startedAt * 1000 > begun + START_SLACK_MS;

function holdsAny(sockets: SocketFds, inodes: Set<number>): boolean {
  for (const inode of inodes) if (sockets.has(inode)) return true;
  return false;
}

function mark(ports: Uint8Array, peerPort: Uint32Array, rows: Uint32Array): void {
  for (let i = 0; i < rows.length; i++) ports[peerPort[rows[i] ?? 0] ?? 0] = 1;
}

/** Listeners that the sockets came in by, and local ones that they go out to. */
function concernedListeners({ sockets, listeners }: NamespaceReader): Listener[] {
  // One byte for each port: 100,000 connections have that many, and a Set of them takes ten times as long.
  const ports = new Uint8Array(65_536);
  const isHere = sockets.addresses.map(isLoopback);
  const { table, rows } = sockets.list();
  for (let from = 0, to = 0; from < rows.length; from = to) {
    to = endOfRun(table.end, rows, from, rows.length);
    const local = table.ends[table.end[rows[from] ?? 0] ?? 0]?.local;
    if (local) ports[local.port] = 1;
    for (let first = from, next = 0; first < to; first = next) {
      next = endOfRun(table.peer, rows, first, to);
      const peer = table.peer[rows[first] ?? 0] ?? 0;
      if (isHere[peer] || table.addresses[peer] === local?.address)
        mark(ports, table.peerPort, rows.subarray(first, next));
    }
  }
  return listeners.filter(({ local }) => ports[local.port] === 1);
}
