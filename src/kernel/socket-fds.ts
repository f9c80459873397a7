import { InodePlaces } from '../model/inode-map.ts';
import type { SocketFds } from '../model/process.ts';
import { NumberList } from '../model/runs.ts';

/**
 * Nearly every socket has one descriptor in a process, so a list is kept only for the others. Places are looked up in an
 * index that is made when somebody first asks: of 100,000 sockets in six processes nobody may ever do.
 */
export class CompactSocketFds implements SocketFds {
  readonly #inodes = new NumberList();
  readonly #fds = new NumberList();
  readonly #all = new Map<number, number[]>();
  readonly #places = new InodePlaces();

  add(inode: number, fd: number): void {
    const place = this.#place(inode);
    if (place < 0) {
      this.addFirst(inode, fd);
      return;
    }
    const all = this.#all.get(inode);
    if (all) all.push(fd);
    else this.#all.set(inode, [this.#fds.at(place), fd]);
  }

  /** Adds a socket of which it is known that it is not in here yet. */
  addFirst(inode: number, fd: number): void {
    this.#inodes.push(inode);
    this.#fds.push(fd);
  }

  /** The same of several, each with the descriptor at the same place. */
  addFirsts(inodes: Uint32Array, fds: Uint32Array): void {
    this.#inodes.add(inodes);
    this.#fds.add(fds);
  }

  #place(inode: number): number {
    return this.#places.of(inode, this.inodes());
  }

  get size(): number {
    return this.#inodes.length;
  }

  has(inode: number): boolean {
    return this.#place(inode) >= 0;
  }

  get(inode: number): readonly number[] | undefined {
    const place = this.#place(inode);
    return place < 0 ? undefined : (this.#all.get(inode) ?? [this.#fds.at(place)]);
  }

  inodeAt(fd: number): number | undefined {
    const place = this.#fds.numbers.indexOf(fd);
    if (place >= 0) return this.#inodes.at(place);
    for (const [inode, fds] of this.#all) if (fds.includes(fd)) return inode;
    return undefined;
  }

  keys(): IterableIterator<number> {
    return this.inodes().values();
  }

  inodes(): Uint32Array {
    return this.#inodes.numbers;
  }
}

/** Inodes by the numbers of their descriptors. */
export function inodesByFd(sockets: SocketFds): Map<number, number> {
  const inodes = new Map<number, number>();
  for (const inode of sockets.keys()) for (const fd of sockets.get(inode) ?? []) inodes.set(fd, inode);
  return inodes;
}
