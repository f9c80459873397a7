import type { Process } from '../model/process.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Listener } from '../model/socket.ts';

const NOBODY: readonly Process[] = [];

/** Who holds which socket. Nearly every socket has one holder, so lists are kept only for the others. */
export class Holders {
  readonly #single = new Map<number, Process>();
  readonly #shared = new Map<number, Process[]>();

  constructor({ processes }: Snapshot) {
    for (const process of processes.values()) {
      if (!process.sockets) continue;
      for (const inode of process.sockets.keys()) this.#add(inode, process);
    }
  }

  #add(inode: number, process: Process): void {
    const first = this.#single.get(inode);
    if (first === undefined) {
      this.#single.set(inode, process);
      return;
    }
    const shared = this.#shared.get(inode);
    if (shared) shared.push(process);
    else this.#shared.set(inode, [first, process]);
  }

  of(inode: number | undefined): readonly Process[] {
    if (inode === undefined) return NOBODY;
    const shared = this.#shared.get(inode);
    if (shared) return shared;
    const single = this.#single.get(inode);
    return single ? [single] : NOBODY;
  }

  /**
   * Who of several holders is the one to name: the one that listens there, and of those (or else) the one that has been
   * there longest, as a parent is before its children.
   */
  primary(inode: number | undefined, listener?: Listener): Process | undefined {
    if (inode === undefined) return undefined;
    const shared = this.#shared.get(inode);
    if (!shared) return this.#single.get(inode);
    const listens = (process: Process): number =>
      listener?.inode !== undefined && process.sockets?.has(listener.inode) ? 0 : 1;
    return [...shared].sort(
      (a, b) => listens(a) - listens(b) || (a.startedAt ?? 0) - (b.startedAt ?? 0) || a.pid - b.pid,
    )[0];
  }

  /** All holders but one, where there are several. */
  others(inode: number | undefined, than: Process | undefined): readonly Process[] {
    const shared = inode === undefined ? undefined : this.#shared.get(inode);
    return shared ? shared.filter((process) => process !== than) : NOBODY;
  }
}
