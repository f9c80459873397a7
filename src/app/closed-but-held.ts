import type { Walk } from '../kernel/holders.ts';
import type { FdTable, Machine, ProcessEntry } from '../kernel/machine.ts';
import { SystemError } from '../model/errors.ts';
import type { ClosedButHeld } from '../model/snapshot.ts';
import type { TcpSocket } from '../model/socket.ts';
import type { NamespaceReader } from './namespaces.ts';

export type ClosedSearch = {
  /** Absent when nobody looked. */
  found?: ClosedButHeld[];
  /** How many there can be in all; absent when that is not known. */
  atMost?: number;
};

/**
 * Finds descriptors of TCP sockets that are in no TCP table any more. After a reset a socket leaves every table while
 * the program still holds it; the extended attribute system.sockprotoname still says what it was. A socket that was
 * made and never connected looks the same.
 */
export function findClosedButHeld(
  machine: Machine,
  reader: NamespaceReader,
  walk: Walk,
  others: TcpSocket[],
  processes: ProcessEntry[],
  limits: { unlisted: number | undefined; everyProcess: boolean },
): ClosedSearch {
  const listed = inodesOf([...reader.sockets.list(), ...others, ...reader.listeners]);
  let found: ClosedButHeld[];
  try {
    found = tcpSocketsOutside(machine, tablesOf(walk, reader, processes), listed);
    if (found.length > 0) {
      // Connections made since the tables were read are in them now.
      const listedNow = reader.readInodes();
      if (!listedNow) return {};
      found = found.filter(({ inode }) => !listedNow.has(inode));
    }
  } catch (error) {
    if (error instanceof SystemError) return {}; // no FFI, or netlink gave up: nobody can tell
    throw error;
  }
  const nothingUnseen = walk.skipped === 0 && walk.denied.length === 0 && reader.unlisted() !== undefined;
  const atMost = limits.everyProcess && nothingUnseen ? found.length : limits.unlisted;
  return { found, ...(atMost !== undefined && { atMost: Math.max(atMost, found.length) }) };
}

const inodesOf = (sockets: { inode?: number }[]): Set<number> => new Set(sockets.flatMap(({ inode }) => inode ?? []));

/** The tables of processes in namespaces that were read: what another one lists is not known. */
function tablesOf(walk: Walk, { namespaces }: NamespaceReader, processes: ProcessEntry[]): [number, FdTable][] {
  const read = new Set(namespaces.flatMap(({ id, source }) => (source === 'netlink' ? id : [])));
  return processes.flatMap(({ pid, netns }): [number, FdTable][] => {
    const table = netns !== undefined && read.has(netns) ? walk.tables.get(pid) : undefined;
    return table ? [[pid, table]] : [];
  });
}

function tcpSocketsOutside(machine: Machine, tables: [number, FdTable][], listed: Set<number>): ClosedButHeld[] {
  const isTcp = new Map<number, boolean>();
  const suspects: ClosedButHeld[] = [];
  for (const [pid, { sockets }] of tables) {
    for (const inode of sockets.keys()) {
      if (listed.has(inode)) continue;
      const fds = sockets.get(inode) ?? [];
      const [fd] = fds;
      if (fd === undefined) continue;
      const known = isTcp.get(inode) ?? isTcpSocket(machine, pid, fd);
      if (known !== undefined) isTcp.set(inode, known);
      if (known) for (const number of fds) suspects.push({ pid, fd: number, inode });
    }
  }
  return suspects;
}

/** Undefined when the descriptor was closed meanwhile: another process may still hold the socket. */
function isTcpSocket(machine: Machine, pid: number, fd: number): boolean | undefined {
  try {
    return /^TCP(v6)?$/.test(machine.socketProtocol(pid, fd));
  } catch (error) {
    if (!(error instanceof SystemError) || error.code === 'ENOSYS') throw error;
    return undefined;
  }
}
