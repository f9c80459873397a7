import type { Walk } from '../kernel/holders.ts';
import type { Machine } from '../kernel/machine.ts';
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
  unlisted: number | undefined,
): ClosedSearch {
  const listed = inodesOf([...reader.sockets, ...others, ...reader.listeners]);
  let found: ClosedButHeld[];
  try {
    found = tcpSocketsOutside(machine, walk, listed);
    if (found.length > 0) {
      // Connections made since the tables were read are in them now.
      const listedNow = reader.readInodes();
      found = found.filter(({ inode }) => !listedNow.has(inode));
    }
  } catch (error) {
    if (error instanceof SystemError) return {}; // no FFI, or netlink gave up: nobody can tell
    throw error;
  }
  const complete = walk.skipped === 0 && walk.denied.length === 0;
  const atMost = complete ? found.length : unlisted;
  return { found, ...(atMost !== undefined && { atMost: Math.max(atMost, found.length) }) };
}

const inodesOf = (sockets: { inode?: number }[]): Set<number> => new Set(sockets.flatMap(({ inode }) => inode ?? []));

function tcpSocketsOutside(machine: Machine, walk: Walk, listed: Set<number>): ClosedButHeld[] {
  const isTcp = new Map<number, boolean>();
  const suspects: ClosedButHeld[] = [];
  for (const [pid, { sockets }] of walk.tables) {
    for (const inode of sockets.keys()) {
      if (listed.has(inode)) continue;
      const fds = sockets.get(inode) ?? [];
      const [fd] = fds;
      if (fd === undefined) continue;
      const known = isTcp.get(inode) ?? isTcpSocket(machine, pid, fd);
      isTcp.set(inode, known);
      if (known) suspects.push(...fds.map((number) => ({ pid, fd: number, inode })));
    }
  }
  return suspects;
}

function isTcpSocket(machine: Machine, pid: number, fd: number): boolean {
  try {
    return /^TCP(v6)?$/.test(machine.socketProtocol(pid, fd));
  } catch (error) {
    if (!(error instanceof SystemError) || error.code === 'ENOSYS') throw error;
    return false; // closed meanwhile
  }
}
