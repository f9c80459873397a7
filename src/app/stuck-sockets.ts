import type { StuckSockets } from '../kernel/holder-evidence.ts';
import { InodeMap } from '../model/inode-map.ts';
import type { Process } from '../model/process.ts';
import { endOfRun } from '../model/runs.ts';
import { TCP_STATE } from '../model/socket.ts';
import { type SocketTable, UNKNOWN } from '../model/socket-table.ts';

/** The sockets in CLOSE_WAIT of a table by the processes that hold them. */
export class StuckInTable implements StuckSockets {
  readonly #sockets: SocketTable;
  /** Of processes that alone hold some: between which rows, and whether something lies unread on any. */
  readonly #alone = new Map<number, { first: number; last: number; unread: boolean }>();
  /** Those that several may hold: 1 where something lies unread. */
  readonly #others: InodeMap;

  constructor(sockets: SocketTable) {
    this.#sockets = sockets;
    const { table, rows } = sockets.list();
    const others = new InodeMap();
    for (let from = 0, to = 0; from < rows.length; from = to) {
      to = endOfRun(table.state, rows, from, rows.length);
      if (table.state[rows[from] ?? 0] !== TCP_STATE.CLOSE_WAIT) continue;
      for (let first = from, next = 0; first < to; first = next) {
        next = endOfRun(table.holder, rows, first, to);
        const pid = table.holder[rows[first] ?? 0] ?? UNKNOWN;
        if (pid === UNKNOWN) addUnread(table, rows.subarray(first, next), others);
        else this.#addAlone(pid, rows.subarray(first, next));
      }
    }
    this.#others = others;
  }

  #addAlone(pid: number, rows: Uint32Array): void {
    const known = this.#alone.get(pid) ?? { first: rows[0] ?? 0, last: 0, unread: false };
    known.last = rows.at(-1) ?? 0;
    known.unread ||= nextUnread(this.#sockets.recvQueue, rows) < rows.length;
    this.#alone.set(pid, known);
  }

  *inodesOf({ pid, sockets }: Process): IterableIterator<number> {
    const { state, inode, holder } = this.#sockets;
    const { first = 0, last = -1 } = this.#alone.get(pid) ?? {};
    for (let row = first; row <= last; row++) {
      if (holder[row] === pid && state[row] === TCP_STATE.CLOSE_WAIT) yield inode[row] ?? 0;
    }
    if (this.#others.size > 0) for (const it of sockets?.keys() ?? []) if (this.#others.has(it)) yield it;
  }

  holdsUnread({ pid, sockets }: Process): boolean {
    if (this.#alone.get(pid)?.unread) return true;
    if (this.#others.size > 0) for (const it of sockets?.keys() ?? []) if (this.#others.get(it) === 1) return true;
    return false;
  }
}

function nextUnread(recvQueue: Uint32Array, rows: Uint32Array): number {
  let place = 0;
  while (place < rows.length && !isUnread(recvQueue[rows[place] ?? 0])) place++;
  return place;
}

function addUnread({ inode, recvQueue }: SocketTable, rows: Uint32Array, unread: InodeMap): void {
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? 0;
    if ((inode[row] ?? 0) > 0) unread.add(inode[row] ?? 0, isUnread(recvQueue[row]) ? 1 : 0);
  }
}

const isUnread = (recvQueue = UNKNOWN): boolean => recvQueue > 0 && recvQueue !== UNKNOWN;
