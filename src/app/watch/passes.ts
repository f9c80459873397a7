/**
 * Finds connections that came into CLOSE_WAIT and left it again between two looks, so that neither look saw them. What a
 * look has seen is left to the comparison of looks, and counted there.
 */
export class Passes {
  /** Sockets that have come and not left, by the kernel's address of the socket: their inode, 0 when not known. */
  #here = new Map<number, number>();
  /** The same from before the last look, which did not show them. They have until the next look to leave. */
  #unseen = new Map<number, number>();
  #passed = new Map<number, number>();
  /** Whether one has left that an earlier look has seen. */
  #seenLeft = false;

  /** Whether what the last look has seen is still all there is: whatever has come since has gone again. */
  get areAllGone(): boolean {
    return this.#here.size === 0 && this.#unseen.size === 0 && !this.#seenLeft;
  }

  entered(socket: number, inode: number): void {
    this.#here.set(socket, inode);
  }

  /** `pid` is whoever closed it. */
  left(socket: number, pid: number): void {
    if (!this.#here.delete(socket) && !this.#unseen.delete(socket)) {
      this.#seenLeft = true;
      return;
    }
    this.#passed.set(pid, (this.#passed.get(pid) ?? 0) + 1);
  }

  /** What has passed since the last look, by the process that closed it; `sees` says which sockets this look shows. */
  atLook(sees: (inode: number) => boolean): ReadonlyMap<number, number> {
    const passed = this.#passed;
    const unseen = new Map<number, number>();
    for (const [socket, inode] of this.#here) {
      // Without an inode it was there a moment ago, so the look has most probably seen it.
      if (inode !== 0 && !sees(inode)) unseen.set(socket, inode);
    }
    this.#here = new Map();
    this.#unseen = unseen;
    this.#passed = new Map();
    this.#seenLeft = false;
    return passed;
  }
}
