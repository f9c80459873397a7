import { InodeMap } from '../model/inode-map.ts';
import type { TcpSocket } from '../model/socket.ts';

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
  keepKnown(sockets: TcpSocket[], isUnclear: (socket: TcpSocket) => boolean): void {
    const now = new InodeMap();
    let kept = 0;
    for (const socket of sockets) {
      const { inode, state } = socket;
      if (inode !== undefined && state === 'CLOSE_WAIT') {
        now.add(inode, 0);
        if (!this.has(inode) && isUnclear(socket)) continue;
      }
      sockets[kept++] = socket;
    }
    sockets.length = kept;
    this.#inodes = now;
  }
}
