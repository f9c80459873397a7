import { standingAt } from '../diagnose/ages.ts';
import type { Walk } from '../kernel/holders.ts';
import type { Machine, NetNsEntry, ProcessEntry } from '../kernel/machine.ts';
import { readText } from '../kernel/machine.ts';
import { listNetns, readMounts } from '../kernel/netns.ts';
import { ParseError, SystemError, UnclosedError } from '../model/errors.ts';
import { DEFAULT_LIMITS } from '../model/finding.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { TCP_STATE } from '../model/socket.ts';
import type { SocketTable } from '../model/socket-table.ts';
import { parseStatus } from '../parse/proc-pid.ts';
import { assemble } from './assemble.ts';
import { fdsDenied, holderUnknown, netnsUnknown, procHidden } from './gaps.ts';
import { HeldReader, refusalOf } from './held.ts';
import { NamespaceReader } from './namespaces.ts';
import { type CaptureOptions, search } from './search.ts';

/** Takes a snapshot of a machine. What cannot be read becomes a gap of the snapshot. */
export function captureFrom(machine: Machine, options: CaptureOptions = {}): Snapshot {
  const { begun = machine.now() } = options;
  const privileges = { root: isRoot(machine) };
  const reader = new NamespaceReader(machine, privileges);
  const processes = machine.processes();
  requireProcesses(processes, options.pids);
  const mounts = readMounts(machine);
  if (mounts.hidepid !== undefined && !privileges.root) reader.gaps.push(procHidden(mounts.hidepid));
  const namespaces = listNetns(machine, processes, mounts);
  const held = readHeld(machine, reader, namespaces, options);
  if (!held) for (const entry of namespaces) reader.readStuck(entry);
  requireTables(reader);
  const takenAt = machine.now();
  lookAgain(machine, held ?? reader, reader.sockets, options);
  const unseen = held ? [] : unseenNetns(machine, processes);
  if (unseen.length > 0) reader.gaps.push(netnsUnknown(unseen, privileges));

  const found = held ? held.found(processes.length) : search(machine, reader, processes, options);
  const { walk, unowned } = found;
  requireReadable(walk, options.pids);
  if (walk && walk.denied.length > 0) reader.gaps.push(fdsDenied(walk.denied, unowned, privileges));
  else if (unowned > 0 && !options.pids) reader.gaps.push(holderUnknown(unowned));
  return assemble(machine, reader, processes, found, { begun, takenAt });
}

/** The pass over all descriptors; undefined where there is none to be had, and the tables must be read. */
function readHeld(
  machine: Machine,
  reader: NamespaceReader,
  namespaces: NetNsEntry[],
  options: CaptureOptions,
): HeldReader | undefined {
  const held = new HeldReader(machine, reader, options);
  try {
    held.read(namespaces);
    return held;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (options.only === 'bpf')
      throw new UnclosedError(
        'SOURCE_UNAVAILABLE',
        `BPF: ${error.message}`,
        'unclosed doctor says what this machine allows',
      );
    reader.bpfRefused = refusalOf(error);
    return undefined;
  }
}

/** A server closes within milliseconds when it can, so what is still there after this was not just passing through. */
const SECOND_LOOK_MS = 150;

/** Where ages cannot tell a stuck socket from one on its way out, a moment later the latter is gone. */
function lookAgain(
  machine: Machine,
  reader: { dropGone(): void; hasUnclear?(): boolean },
  sockets: SocketTable,
  { stuckAfterMs = DEFAULT_LIMITS.stuckAfterMs, memory }: CaptureOptions,
): void {
  const isUnclear = (row: number): boolean =>
    sockets.state[row] === TCP_STATE.CLOSE_WAIT && standingAt(sockets, row, stuckAfterMs) === 'maybe';
  if (memory && !memory.isEmpty) {
    memory.keepKnown(sockets, isUnclear);
    return;
  }
  memory?.keepKnown(sockets, () => false);
  if (!(reader.hasUnclear?.() ?? sockets.list().rows.some(isUnclear))) return;
  machine.pause(SECOND_LOOK_MS);
  reader.dropGone();
}

function requireTables({ readable, gaps: [gap] }: NamespaceReader): void {
  if (readable) return;
  throw new UnclosedError('NOTHING_READABLE', gap?.what ?? 'no TCP table could be read', gap?.remedy ?? 'run as root');
}

/** Processes whose network namespace may not be read. Those without descriptors, as kernel threads, hold no socket. */
function unseenNetns(machine: Machine, processes: ProcessEntry[]): number[] {
  const unseen = processes.flatMap(({ pid, netns }) => (netns === undefined ? pid : []));
  if (unseen.length === 0) return [];
  const owners = machine.fdOwners(unseen);
  return unseen.filter((pid) => owners.get(pid)?.fdCount !== 0);
}

function isRoot(machine: Machine): boolean {
  try {
    return parseStatus(readText(machine, '/proc/self/status'), '/proc/self/status').uid === 0;
  } catch (error) {
    if (!(error instanceof SystemError || error instanceof ParseError)) throw error;
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
