import { attempt } from '../../kernel/attempt.ts';
import { listenersOf } from '../../kernel/listeners.ts';
import { inodesByFd } from '../../kernel/socket-fds.ts';
import type { WaitedOn } from '../../model/inside.ts';
import type { Endpoint, TcpState } from '../../model/socket.ts';
import type { Subject } from '../subject.ts';

/** Names of descriptors that are read for one process, at 3 microseconds each. */
const MOST_LINKS = 2000;

type Ends = { state: TcpState; local: Endpoint; peer?: Endpoint };

/** Says what is behind the descriptors of a process. */
export class Files {
  readonly #subject: Subject;
  readonly #known = new Map<number, Omit<WaitedOn, 'for'>>();
  #inodes: Map<number, number> | undefined;
  #sockets: Map<number, Ends> | undefined;
  #linksLeft = MOST_LINKS;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  at(fd: number): Omit<WaitedOn, 'for'> {
    const known = this.#known.get(fd);
    if (known) return known;
    const found = this.#find(fd);
    this.#known.set(fd, found);
    return found;
  }

  #find(fd: number): Omit<WaitedOn, 'for'> {
    const { machine, process } = this.#subject;
    this.#inodes ??= process.sockets ? inodesByFd(process.sockets) : new Map();
    const inode = this.#inodes.get(fd);
    const ends = inode === undefined ? undefined : this.#endsOf(inode);
    if (inode !== undefined && ends) return { fd, inode, ...ends };
    if (this.#linksLeft-- <= 0) return { fd };
    const file = attempt(() => machine.link(`/proc/${process.pid}/fd/${fd}`));
    if (file === undefined) return { fd };
    const protocol = file.startsWith('socket:') && attempt(() => machine.socketProtocol(process.pid, fd));
    return { fd, file: protocol ? `${protocol} socket` : file };
  }

  #endsOf(inode: number): Ends | undefined {
    if (!this.#sockets) {
      this.#sockets = new Map();
      for (const { inode: of, state, local, peer } of this.#subject.sockets)
        if (of !== undefined) this.#sockets.set(of, { state, local, peer });
      for (const { inode: of, local } of listenersOf(this.#subject.machine, this.#subject.process) ?? [])
        if (of !== undefined) this.#sockets.set(of, { state: 'LISTEN', local });
    }
    return this.#sockets.get(inode);
  }
}
