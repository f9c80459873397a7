import { InodeMap } from '../model/inode-map.ts';
import { TCP_STATE } from '../model/socket.ts';
import type { SocketTable } from '../model/socket-table.ts';

/** Which CLOSE_WAIT sockets the last look of several has seen, whether or not its report speaks of them. */
export class Memory {
  #inodes: InodeMap | undefined;

  /** Before the first look. */
  get isEmpty(): boolean {
    return this.#inodes === undefined;
  }

  has(inode: number): boolean {
    return this.#inodes?.has(inode) === true;
  }

  /** Takes a new look, out of which unclear sockets are dropped that the look before has not seen. */
  keepKnown(sockets: SocketTable, isUnclear: (row: number) => boolean): void {
    const now = new InodeMap(sockets.length);
    sockets.retain((row) => {
      const inode = sockets.inode[row] ?? 0;
      if (inode === 0 || sockets.state[row] !== TCP_STATE.CLOSE_WAIT) return true;
      now.add(inode, 0);
      return this.has(inode) || !isUnclear(row);
    });
    this.#inodes = now;
  }
}
