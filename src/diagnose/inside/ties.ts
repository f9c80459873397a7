import type { Case } from '../../model/finding.ts';
import type { EndRead, Inside, SocketObject } from '../../model/inside.ts';
import type { Process } from '../../model/process.ts';
import type { Endpoint, TcpSocket } from '../../model/socket.ts';

/** A connection whose end was read a moment ago may be about to be closed. */
const SETTLED_MS = 1000;

/** Ties the sockets of one process to what stands for them inside: by descriptor, or by their ends. */
export class Ties {
  readonly inside: Inside;
  readonly #process: Process;
  readonly #byFd = new Map<number, SocketObject>();
  readonly #byEnds = new Map<string, SocketObject>();
  readonly #endReads = new Map<string, EndRead>();

  constructor(process: Process, inside: Inside) {
    this.inside = inside;
    this.#process = process;
    for (const object of inside.objects ?? []) {
      if (object.fd !== undefined && object.fd >= 0) this.#byFd.set(object.fd, object);
      else if (object.peer && object.local) this.#byEnds.set(endsKey(object.local, object.peer), object);
    }
    // A port can be used again: the newest is of the connection that is there now.
    for (const read of [...(inside.endReads ?? [])].sort((a, b) => b.agoMs - a.agoMs))
      if (read.agoMs >= SETTLED_MS) this.#endReads.set(endKey(read.peer), read);
  }

  /** An object that keeps the number of a descriptor after it was closed stands for another connection: its peer tells. */
  objectOf(socket: TcpSocket): SocketObject | undefined {
    const fds = socket.inode === undefined ? [] : (this.#process.sockets?.get(socket.inode) ?? []);
    for (const fd of fds) {
      const object = this.#byFd.get(fd);
      if (object && (object.peer === undefined || object.peer.port === socket.peer.port)) return object;
    }
    return this.#byEnds.get(endsKey(socket.local, socket.peer));
  }

  endReadOf({ peer }: TcpSocket): EndRead | undefined {
    return this.#endReads.get(endKey(peer));
  }
}

/**
 * What was seen inside the holder of a case; of an accept queue, in all processes that could accept, for with forked workers it is
 * they who do.
 */
export function tiesOfCase({ kind, process, coHolders }: Case, ties: ReadonlyMap<number, Ties>): Ties | undefined {
  const own = process && ties.get(process.pid);
  if (kind !== 'backlog' || !process) return own;
  const all = [own, ...coHolders.map((it) => ties.get(it.process.pid))].filter((it) => it !== undefined);
  const [first] = all;
  if (!first || all.length === 1) return first;
  return new Ties(process, {
    ...first.inside,
    strands: all.flatMap(({ inside }) => inside.strands ?? []),
    deadlocks: all.flatMap(({ inside }) => inside.deadlocks ?? []),
  });
}

const plain = (address: string): string => address.replace(/^::ffff:(?=[0-9.]+$)/i, '').replace(/%.*$/, '');
const endKey = ({ address, port }: Endpoint): string => `${plain(address)} ${port}`;
const endsKey = (local: Endpoint, peer: Endpoint): string => `${local.port} ${endKey(peer)}`;
