/**
 * Whole numbers by inode, for tables of 100,000 sockets: a Map takes ten times as long to fill, most of it in the
 * garbage collector. Inodes of sockets are 1 to 2^32 - 1, values 0 to 2^32 - 1. Open addressing, at most half full.
 */
export class InodeMap {
  /** Key and value side by side: what is looked up is mostly not in the processor's cache, and so comes at once. */
  #cells: Uint32Array<ArrayBuffer>;
  #size = 0;

  /** It grows by itself; with the number of inodes that will come it need not. */
  constructor(expected = 0) {
    this.#cells = new Uint32Array(2 * 2 ** Math.max(4, Math.ceil(Math.log2(expected * 2 + 1))));
  }

  get size(): number {
    return this.#size;
  }

  /** -1 when there is none. */
  get(inode: number): number {
    const at = this.#slot(inode);
    return this.#cells[at] === 0 ? -1 : (this.#cells[at + 1] ?? -1);
  }

  has(inode: number): boolean {
    return this.#cells[this.#slot(inode)] !== 0;
  }

  /** Gives the value that was there before, which stays; -1 when there was none. */
  add(inode: number, value: number): number {
    let at = this.#slot(inode);
    if (this.#cells[at] !== 0) return this.#cells[at + 1] ?? -1;
    if (this.#size * 4 >= this.#cells.length) {
      this.#grow();
      at = this.#slot(inode);
    }
    this.#cells[at] = inode;
    this.#cells[at + 1] = value;
    this.#size++;
    return -1;
  }

  /**
   * Where the key is, or else where it would be. Inodes of sockets that are made one after the other lie side by side, so
   * eight of them share a line of the processor's cache; the lines are spread by multiplication (Knuth).
   */
  #slot(inode: number): number {
    const cells = this.#cells;
    const mask = cells.length - 1;
    const line = Math.imul(inode >>> 3, 0x9e3779b1);
    let at = (((line ^ (line >>> 15)) << 4) | ((inode & 7) << 1)) & mask;
    for (let key = cells[at]; key !== 0 && key !== inode; key = cells[at]) at = (at + 2) & mask;
    return at;
  }

  #grow(): void {
    const before = this.#cells;
    this.#cells = new Uint32Array(before.length * 4);
    for (let from = 0; from < before.length; from += 2) {
      const key = before[from] ?? 0;
      if (key === 0) continue;
      const to = this.#slot(key);
      this.#cells[to] = key;
      this.#cells[to + 1] = before[from + 1] ?? 0;
    }
  }
}

/** So many questions are answered by looking through the list, which takes less than to make an index. */
const FEW = 32;

/** Where inodes are in a list that only grows: in an index that is made when many are asked for. */
export class InodePlaces {
  readonly #places = new InodeMap();
  #asked = 0;
  #indexed = 0;

  /** The first place of an inode in the list as it is now; -1 where it is not in it. */
  of(inode: number, list: Uint32Array): number {
    if (this.#indexed === 0 && this.#asked++ < FEW) return list.indexOf(inode);
    for (; this.#indexed < list.length; this.#indexed++) {
      const next = list[this.#indexed] ?? 0;
      if (next > 0) this.#places.add(next, this.#indexed);
    }
    return this.#places.get(inode);
  }
}
