import type { StuckSockets } from '../kernel/holder-evidence.ts';
import { InodeMap } from '../model/inode-map.ts';
import type { Process } from '../model/process.ts';
import { TCP_STATE } from '../model/socket.ts';
import { type SocketTable, UNKNOWN } from '../model/socket-table.ts';

/** The sockets in CLOSE_WAIT of a table by the processes that hold them. */
export class StuckInTable implements StuckSockets {
  readonly #sockets: SocketTable;
  /** Of processes that alone hold some: the row of the first one, and whether something lies unread on any. */
  readonly #alone = new Map<number, { first: number; unread: boolean }>();
  /** Those that several may hold: 1 where something lies unread. */
  readonly #others: InodeMap;

  constructor(sockets: SocketTable) {
    this.#sockets = sockets;
    const { state, inode, holder, recvQueue, length } = sockets;
    const others = new InodeMap();
    // One after the other they mostly have the same holder.
    let last = UNKNOWN;
    let known = { first: 0, unread: false };
    for (let row = 0; row < length; row++) {
      if (state[row] !== TCP_STATE.CLOSE_WAIT) continue;
      const queue = recvQueue[row] ?? UNKNOWN;
      const unread = queue !== UNKNOWN && queue > 0;
      const pid = holder[row] ?? UNKNOWN;
      if (pid === UNKNOWN) {
        const number = inode[row] ?? 0;
        if (number > 0) others.add(number, unread ? 1 : 0);
        continue;
      }
      if (pid !== last) {
        last = pid;
        known = this.#alone.get(pid) ?? { first: row, unread: false };
        this.#alone.set(pid, known);
      }
      if (unread) known.unread = true;
    }
    this.#others = others;
  }

  *inodesOf({ pid, sockets }: Process): IterableIterator<number> {
    const { state, inode, holder, length } = this.#sockets;
    for (let row = this.#alone.get(pid)?.first ?? length; row < length; row++) {
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
