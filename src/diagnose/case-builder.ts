import type { Case, Direction, PeerGroup } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import type { Listener, TcpSocket } from '../model/socket.ts';
import { ageAtLeast, type Standing } from './ages.ts';
import type { Holders } from './holders.ts';
import type { Way } from './judged.ts';
import { type ListenerIndex, sharing } from './listeners.ts';
import type { OtherEnds } from './other-ends.ts';
import type { WaitReader } from './waits.ts';

/** What a case is made with: the same for all cases of a snapshot. */
export type CaseContext = {
  stuckAfterMs: number;
  takenAt: number;
  /** False in a capture of connections alone: what no listener explains need not be outbound. */
  listenersShown: boolean;
  holders: Holders;
  ends: OtherEnds;
  waits: WaitReader;
  index: ListenerIndex;
  services: ReadonlyMap<number, string>;
};

/** Stands for the ports of all inbound connections from one address; no connection has it. */
const ANY_PORT = 0;

/** Gathers the sockets of one case, each of them looked at once: there may be 100,000. */
export class CaseBuilder {
  readonly #context: CaseContext;
  readonly #who: Pick<Case, 'kind' | 'process' | 'listener'>;
  #sockets: TcpSocket[] = [];
  readonly #listeners = new Set<Listener>();
  readonly #peers = new Map<string, Map<number, PeerGroup>>();
  readonly #coHolders = new Map<Process, number>();
  /** Peers with more than one process at the other end: none of them is named. */
  readonly #severalProcesses = new Set<PeerGroup>();
  #stuck = 0;
  #maybeStuck = 0;
  #inbound = 0;

  constructor(context: CaseContext, who: Pick<Case, 'kind' | 'process' | 'listener'>) {
    this.#context = context;
    this.#who = who;
  }

  get size(): number {
    return this.#sockets.length;
  }

  add(socket: TcpSocket, { inbound, listener }: Way, standing: Standing): void {
    this.#sockets.push(socket);
    if (standing === 'stuck') this.#stuck++;
    else if (standing === 'maybe') this.#maybeStuck++;
    if (inbound) this.#inbound++;
    if (listener) this.#listeners.add(listener);
    this.#addPeer(socket, inbound);
    if (this.#who.kind !== 'held') return;
    for (const other of this.#context.holders.others(socket.inode, this.#who.process)) this.#addCoHolder(other, 1);
  }

  /** Adds what another one has gathered of the same process, without looking at its sockets again. */
  addAll(other: CaseBuilder): void {
    this.#sockets = this.#sockets.concat(other.#sockets);
    this.#stuck += other.#stuck;
    this.#maybeStuck += other.#maybeStuck;
    this.#inbound += other.#inbound;
    for (const listener of other.#listeners) this.#listeners.add(listener);
    for (const [process, sockets] of other.#coHolders) this.#addCoHolder(process, sockets);
    for (const [address, ports] of other.#peers) {
      for (const [port, { sockets, process }] of ports) {
        const group = this.#peerAt(address, port);
        group.sockets += sockets;
        if (process) this.#nameProcess(group, process);
      }
    }
    for (const { address, port = ANY_PORT } of other.#severalProcesses) {
      this.#nameNoProcess(this.#peerAt(address, port));
    }
  }

  #addCoHolder(process: Process, sockets: number): void {
    this.#coHolders.set(process, (this.#coHolders.get(process) ?? 0) + sockets);
  }

  #addPeer(socket: TcpSocket, inbound: boolean): void {
    const { address, port: itsPort } = socket.peer;
    const port = inbound ? ANY_PORT : itsPort;
    // One after the other they are mostly of one peer.
    if (port !== this.#lastPort || address !== this.#lastPeer.address) {
      this.#lastPort = port;
      this.#lastPeer = this.#peerAt(address, port);
    }
    this.#lastPeer.sockets++;
    const process = this.#context.ends.processOf(socket);
    if (process) this.#nameProcess(this.#lastPeer, process);
  }

  #nameProcess(group: PeerGroup, { pid, name }: Pick<Process, 'pid' | 'name'>): void {
    if (this.#severalProcesses.has(group)) return;
    if (group.process === undefined) group.process = { pid, name };
    else if (group.process.pid !== pid) this.#nameNoProcess(group);
  }

  #nameNoProcess(group: PeerGroup): void {
    this.#severalProcesses.add(group);
    delete group.process;
  }

  #lastPort = -1;
  #lastPeer: PeerGroup = { address: '', sockets: 0 };

  #peerAt(address: string, port: number): PeerGroup {
    let ports = this.#peers.get(address);
    if (!ports) {
      ports = new Map();
      this.#peers.set(address, ports);
    }
    const known = ports.get(port);
    if (known) return known;
    const service = this.#context.services.get(port);
    const group = { address, sockets: 0, ...(port !== ANY_PORT && { port }), ...(service && { service }) };
    ports.set(port, group);
    return group;
  }

  /** Of a backlog, the other processes that hold the listener: with forked workers, those that should accept. */
  #otherHolders(): Case['coHolders'] {
    const { kind, process, listener } = this.#who;
    if (kind === 'backlog' && listener) {
      const { holders, index } = this.#context;
      const listeners = sharing(listener, index.at(listener.local.port)).filter(
        (it) => it === listener || it.queue > 0,
      );
      const others = new Set(listeners.flatMap(({ inode }) => holders.of(inode)));
      if (process) others.delete(process);
      return [...others].map((other) => {
        const waits = this.#context.waits.of(other);
        return { process: other, sockets: 0, ...(waits && { waits }) };
      });
    }
    return [...this.#coHolders]
      .map(([other, sockets]) => ({ process: other, sockets }))
      .sort((a, b) => b.sockets - a.sockets);
  }

  /** `elsewhere`: connections of the process that were not added here; absent when nobody counted. */
  build(elsewhere: number | undefined): Case {
    const sockets = oldestFirst(this.#sockets);
    this.#sockets = sockets;
    const uid = sockets[0]?.uid;
    const [listener] = this.#listeners;
    const waits = this.#context.waits.of(this.#who.process);
    const one = listener && this.#listeners.size === 1 && this.#inbound === sockets.length;
    return {
      ...(one && { listener }),
      ...this.#who,
      ...(!this.#who.process && uid !== undefined && { uid }),
      sockets,
      stuck: this.#stuck,
      maybeStuck: this.#maybeStuck,
      closedFds: 0,
      ...(elsewhere !== undefined && this.#who.kind === 'held' && { connections: elsewhere + sockets.length }),
      coHolders: this.#otherHolders(),
      ...(waits && { waits }),
      direction: directionOf(this.#inbound, sockets.length, this.#context.listenersShown),
      peers: [...this.#peers.values()].flatMap((ports) => [...ports.values()]).sort((a, b) => b.sockets - a.sockets),
    };
  }
}

function directionOf(inbound: number, all: number, listenersShown: boolean): Direction {
  if (inbound === all) return 'inbound';
  if (!listenersShown) return 'unknown';
  return inbound === 0 ? 'outbound' : 'mixed';
}

/** Ages are milliseconds in 32 bits; the other 21 bits of a double's 53 number the sockets. */
const YOUNGEST = 2 ** 32 - 1;
const MOST_PLACES = 2 ** 21;

// Descriptors come in order, and the lowest is mostly the oldest. Where it is not, age and place in one number make a sort
// that compares numbers and calls nothing.
function oldestFirst(sockets: TcpSocket[]): TcpSocket[] {
  if (sockets.length > MOST_PLACES) return sockets.sort((a, b) => ageAtLeast(b) - ageAtLeast(a));
  const keys = new Float64Array(sockets.length);
  let isSorted = true;
  for (let place = 0; place < keys.length; place++) {
    const socket = sockets[place];
    if (socket) keys[place] = (YOUNGEST - ageAtLeast(socket)) * MOST_PLACES + place;
    if (place > 0 && (keys[place] ?? 0) < (keys[place - 1] ?? 0)) isSorted = false;
  }
  if (isSorted) return sockets;
  const sorted: TcpSocket[] = [];
  for (const key of keys.sort()) {
    // As key % MOST_PLACES, which takes ten times as long.
    const socket = sockets[key - Math.floor(key / MOST_PLACES) * MOST_PLACES];
    if (socket) sorted.push(socket);
  }
  return sorted;
}
