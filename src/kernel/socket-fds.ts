import type { SocketFds } from '../model/process.ts';

/** Nearly every socket has one descriptor in a process, so a list is kept only for the others. */
export class CompactSocketFds implements SocketFds {
  readonly #first = new Map<number, number>();
  readonly #all = new Map<number, number[]>();

  add(inode: number, fd: number): void {
    const first = this.#first.get(inode);
    if (first === undefined) {
      this.#first.set(inode, fd);
      return;
    }
    const all = this.#all.get(inode);
    if (all) all.push(fd);
    else this.#all.set(inode, [first, fd]);
  }

  get size(): number {
    return this.#first.size;
  }

  has(inode: number): boolean {
    return this.#first.has(inode);
  }

  get(inode: number): readonly number[] | undefined {
    const all = this.#all.get(inode);
    if (all) return all;
    const first = this.#first.get(inode);
    return first === undefined ? undefined : [first];
  }

  keys(): IterableIterator<number> {
    return this.#first.keys();
  }
}
