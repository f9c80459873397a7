import type { Case } from '../../model/finding.ts';
import { endsOf, type TcpSocket } from '../../model/socket.ts';
import { SocketRows } from '../../model/socket-table.ts';

/** Which sockets a case has, to be compared with those of the next look. */
export type SocketIds = {
  /** Sorted. */
  inodes: Uint32Array;
  /** Sockets without a file, by their ends. */
  others: ReadonlySet<string>;
  /** Descriptors of closed sockets have only their number. */
  closed: number;
};

export const NO_SOCKETS: SocketIds = { inodes: new Uint32Array(), others: new Set(), closed: 0 };

/** Of a case that was looked at before they are the same object, which spares the comparison. */
export function socketIds(subject: Case): SocketIds {
  const known = KNOWN.get(subject);
  if (known) return known;
  const ids = idsOf(subject);
  KNOWN.set(subject, ids);
  return ids;
}

const KNOWN = new WeakMap<Case, SocketIds>();

function idsOf({ sockets, closedFds }: Case): SocketIds {
  const { table, rows } = SocketRows.of(sockets);
  const inodes = rows.map((row) => table.inode[row] ?? 0).sort();
  const others = new Set<string>();
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? 0;
    const socket = table.inode[row] === 0 ? table.at(row) : undefined;
    if (socket) others.add(endsOf(socket));
  }
  const withoutFile = inodes.lastIndexOf(0) + 1;
  return { inodes: inodes.subarray(withoutFile), others, closed: closedFds };
}

/** How many came and went between two looks. */
export function compare(before: SocketIds, now: SocketIds): { entered: number; left: number } {
  if (before === now) return { entered: 0, left: 0 };
  const both = common(before.inodes, now.inodes);
  let stayed = 0;
  for (const ends of now.others) if (before.others.has(ends)) stayed++;
  return {
    entered: now.inodes.length - both + (now.others.size - stayed) + Math.max(0, now.closed - before.closed),
    left: before.inodes.length - both + (before.others.size - stayed) + Math.max(0, before.closed - now.closed),
  };
}

function common(a: Uint32Array, b: Uint32Array): number {
  let both = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const x = a[i] ?? 0;
    const y = b[j] ?? 0;
    if (x === y) both++;
    if (x <= y) i++;
    if (y <= x) j++;
  }
  return both;
}

/** The sockets of a case that were not there before: the youngest, and there are `entered` of them. */
export function newSockets({ sockets }: Case, before: SocketIds, entered: number): TcpSocket[] {
  const { table, rows } = SocketRows.of(sockets);
  const found: TcpSocket[] = [];
  for (let index = rows.length - 1; index >= 0 && found.length < entered; index--) {
    const row = rows[index] ?? 0;
    const inode = table.inode[row] ?? 0;
    const socket = inode > 0 && hasInode(before, inode) ? undefined : table.at(row);
    if (socket && !(inode === 0 && before.others.has(endsOf(socket)))) found.push(socket);
  }
  return found;
}

function hasInode({ inodes }: SocketIds, inode: number): boolean {
  let low = 0;
  let high = inodes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((inodes[middle] ?? 0) < inode) low = middle + 1;
    else high = middle;
  }
  return inodes[low] === inode;
}
