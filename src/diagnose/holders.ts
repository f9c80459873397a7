import { InodeMap } from '../model/inode-map.ts';
import type { Process, SocketFds } from '../model/process.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Listener } from '../model/socket.ts';

const NOBODY: readonly Process[] = [];

/**
 * Who holds which socket, looked up in an index that is made when somebody first asks: of most sockets the table knows it.
 * Nearly every socket has one holder, so lists are kept only for the others.
 */
export class Holders {
  readonly #processes: Process[];
  /** Where in `#processes` the first holder is. */
  #first: InodeMap | undefined;
  readonly #shared = new Map<number, Process[]>();

  constructor({ processes }: Snapshot) {
    this.#processes = [...processes.values()];
  }

  get #index(): InodeMap {
    if (this.#first) return this.#first;
    const index = new InodeMap(this.#processes.reduce((sum, { sockets }) => sum + (sockets?.size ?? 0), 0));
    this.#processes.forEach((process, place) => {
      const inodes = inodesOf(process.sockets);
      for (let i = 0; i < inodes.length; i++) {
        const inode = inodes[i] ?? 0;
        const first = index.add(inode, place);
        if (first >= 0) this.#share(inode, first, process);
      }
    });
    this.#first = index;
    return index;
  }

  #share(inode: number, first: number, process: Process): void {
    const shared = this.#shared.get(inode);
    if (shared) shared.push(process);
    else this.#shared.set(inode, [...this.#at(first), process]);
  }

  #at(index: number): readonly Process[] {
    return this.#processes.slice(index, index + 1);
  }

  of(inode: number | undefined): readonly Process[] {
    if (inode === undefined) return NOBODY;
    const first = this.#index.get(inode);
    const shared = this.#shared.get(inode);
    if (shared) return shared;
    return first < 0 ? NOBODY : this.#at(first);
  }

  /**
   * Who of several holders is the one to name: the one that listens there, and of those (or else) the one that has been
   * there longest, as a parent is before its children.
   */
  primary(inode: number | undefined, listener?: Listener): Process | undefined {
    if (inode === undefined) return undefined;
    const first = this.#index.get(inode);
    const shared = this.#shared.size === 0 ? undefined : this.#shared.get(inode);
    return shared ? eldest(shared, listener) : this.#processes[first];
  }

  /** All holders but one, where there are several. */
  others(inode: number | undefined, than: Process | undefined): readonly Process[] {
    if (inode === undefined || this.#index.size === 0 || this.#shared.size === 0) return NOBODY;
    const shared = this.#shared.get(inode);
    return shared ? shared.filter((process) => process !== than) : NOBODY;
  }
}

function eldest(shared: readonly Process[], listener: Listener | undefined): Process | undefined {
  const listens = (process: Process): number =>
    listener?.inode !== undefined && process.sockets?.has(listener.inode) ? 0 : 1;
  return [...shared].sort(
    (a, b) => listens(a) - listens(b) || (a.startedAt ?? 0) - (b.startedAt ?? 0) || a.pid - b.pid,
  )[0];
}

const inodesOf = (sockets: SocketFds | undefined): Uint32Array =>
  sockets ? (sockets.inodes?.() ?? Uint32Array.from(sockets.keys())) : new Uint32Array();
