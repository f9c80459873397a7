/**
 * Whole numbers by inode, for tables of 100,000 sockets: a Map takes ten times as long to fill, most of it in the
 * garbage collector. Inodes of sockets are 1 to 2^32 - 1, values 0 to 2^32 - 1. Open addressing, at most half full.
 */
export class InodeMap {
  #keys: Uint32Array<ArrayBuffer>;
  #values: Uint32Array<ArrayBuffer>;
  #size = 0;

  /** It grows by itself; with the number of inodes that will come it need not. */
  constructor(expected = 0) {
    const capacity = 2 ** Math.max(4, Math.ceil(Math.log2(expected * 2 + 1)));
    this.#keys = new Uint32Array(capacity);
    this.#values = new Uint32Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** -1 when there is none. */
  get(inode: number): number {
    const at = this.#slot(inode);
    return this.#keys[at] === 0 ? -1 : (this.#values[at] ?? -1);
  }

  has(inode: number): boolean {
    return this.#keys[this.#slot(inode)] !== 0;
  }

  /** Gives the value that was there before, which stays; -1 when there was none. */
  add(inode: number, value: number): number {
    let at = this.#slot(inode);
    if (this.#keys[at] !== 0) return this.#values[at] ?? -1;
    if (this.#size * 2 >= this.#keys.length) {
      this.#grow();
      at = this.#slot(inode);
    }
    this.#keys[at] = inode;
    this.#values[at] = value;
    this.#size++;
    return -1;
  }

  /**
   * Where the key is, or else where it would be. Inodes of sockets that are made one after the other lie side by side, so
   * sixteen of them share a line of the processor's cache; the lines are spread by multiplication (Knuth).
   */
  #slot(inode: number): number {
    const keys = this.#keys;
    const mask = keys.length - 1;
    const line = Math.imul(inode >>> 4, 0x9e3779b1);
    let at = (((line ^ (line >>> 15)) << 4) | (inode & 15)) & mask;
    for (let key = keys[at]; key !== 0 && key !== inode; key = keys[at]) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const keys = this.#keys;
    const values = this.#values;
    this.#keys = new Uint32Array(keys.length * 4);
    this.#values = new Uint32Array(keys.length * 4);
    keys.forEach((key, from) => {
      if (key === 0) return;
      const to = this.#slot(key);
      this.#keys[to] = key;
      this.#values[to] = values[from] ?? 0;
    });
  }
}
