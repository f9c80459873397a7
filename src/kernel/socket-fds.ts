import { InodeMap } from '../model/inode-map.ts';
import type { SocketFds } from '../model/process.ts';

/** So many questions are answered by looking through the list, which takes less than to make the index. */
const FEW = 32;

/**
 * Nearly every socket has one descriptor in a process, so a list is kept only for the others. Places are looked up in an
 * index that is made when somebody first asks: of 100,000 sockets in six processes nobody may ever do.
 */
export class CompactSocketFds implements SocketFds {
  #inodes = new Uint32Array(16);
  #fds = new Uint32Array(16);
  #size = 0;
  readonly #all = new Map<number, number[]>();
  readonly #places = new InodeMap();
  #asked = 0;

  add(inode: number, fd: number): void {
    const place = this.#place(inode);
    if (place < 0) {
      this.addFirst(inode, fd);
      return;
    }
    const all = this.#all.get(inode);
    if (all) all.push(fd);
    else this.#all.set(inode, [this.#fds[place] ?? 0, fd]);
  }

  /** Adds a socket of which it is known that it is not in here yet. */
  addFirst(inode: number, fd: number): void {
    this.#reserve(1);
    this.#inodes[this.#size] = inode;
    this.#fds[this.#size] = fd;
    this.#size++;
  }

  /** The same of several, each with the descriptor at the same place. */
  addFirsts(inodes: Uint32Array, fds: Uint32Array): void {
    if (this.#size === 0) {
      this.#inodes = inodes.slice();
      this.#fds = fds.slice();
      this.#size = inodes.length;
      return;
    }
    this.#reserve(inodes.length);
    this.#inodes.set(inodes, this.#size);
    this.#fds.set(fds, this.#size);
    this.#size += inodes.length;
  }

  #reserve(more: number): void {
    const needed = this.#size + more;
    if (needed <= this.#inodes.length) return;
    this.#inodes = grown(this.#inodes, needed);
    this.#fds = grown(this.#fds, needed);
  }

  #place(inode: number): number {
    if (this.#places.size === 0 && this.#asked++ < FEW) return this.#inodes.subarray(0, this.#size).indexOf(inode);
    for (let place = this.#places.size; place < this.#size; place++) this.#places.add(this.#inodes[place] ?? 0, place);
    return this.#places.get(inode);
  }

  get size(): number {
    return this.#size;
  }

  has(inode: number): boolean {
    return this.#place(inode) >= 0;
  }

  get(inode: number): readonly number[] | undefined {
    const place = this.#place(inode);
    return place < 0 ? undefined : (this.#all.get(inode) ?? [this.#fds[place] ?? 0]);
  }

  inodeAt(fd: number): number | undefined {
    const place = this.#fds.subarray(0, this.#size).indexOf(fd);
    if (place >= 0) return this.#inodes[place];
    for (const [inode, fds] of this.#all) if (fds.includes(fd)) return inode;
    return undefined;
  }

  keys(): IterableIterator<number> {
    return this.inodes().values();
  }

  inodes(): Uint32Array {
    return this.#inodes.subarray(0, this.#size);
  }
}

/** Inodes by the numbers of their descriptors. */
export function inodesByFd(sockets: SocketFds): Map<number, number> {
  const inodes = new Map<number, number>();
  for (const inode of sockets.keys()) for (const fd of sockets.get(inode) ?? []) inodes.set(fd, inode);
  return inodes;
}

function grown(array: Uint32Array<ArrayBuffer>, needed: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(needed, array.length * 2));
  larger.set(array);
  return larger;
}
