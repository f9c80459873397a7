import type { Case, Direction, PeerGroup } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import type { Listener } from '../model/socket.ts';
import { COLUMN, SocketRows, type SocketTable } from '../model/socket-table.ts';
import { agesAtLeast, type Standing } from './ages.ts';
import type { Holders } from './holders.ts';
import type { Way } from './judged.ts';
import { type ListenerIndex, sharing } from './listeners.ts';
import type { OtherEnds } from './other-ends.ts';
import { remembered } from './remembered.ts';
import type { WaitReader } from './waits.ts';

/** What a case is made with: the same for all cases of a snapshot. */
export type CaseContext = {
  /** Of all sockets. */
  table: SocketTable;
  /** By the number of the local end. */
  ways: readonly Way[];
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

const UNKNOWN_WAY: Way = { inbound: false, listener: undefined };

export const wayOf = ({ table, ways }: CaseContext, row: number): Way =>
  ways[table.cell(row, COLUMN.end)] ?? UNKNOWN_WAY;

/** Stands for the ports of all inbound connections from one address; no connection has it. */
const ANY_PORT = 0;

/** Gathers the sockets of one case, each of them looked at once: there may be 100,000. */
export class CaseBuilder {
  readonly #context: CaseContext;
  readonly #who: Pick<Case, 'kind' | 'process' | 'listener'>;
  #rows: number[] = [];
  #sorted: SocketRows | undefined;
  readonly #listeners = new Set<Listener>();
  /** By the number of the address, and the port. */
  readonly #peers = new Map<number, Map<number, PeerGroup>>();
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
    return this.#rows.length;
  }

  add(row: number, standing: Standing): void {
    const { inbound, listener } = wayOf(this.#context, row);
    this.#rows.push(row);
    if (standing === 'stuck') this.#stuck++;
    else if (standing === 'maybe') this.#maybeStuck++;
    if (inbound) this.#inbound++;
    if (listener) this.#listeners.add(listener);
    this.#addPeer(row, inbound);
    if (this.#who.kind !== 'held') return;
    const { table, holders } = this.#context;
    const others = holders.others(table.cell(row, COLUMN.inode), this.#who.process);
    // Nearly always there is none, and a loop over nothing makes an object too.
    if (others.length > 0) for (const other of others) this.#addCoHolder(other, 1);
  }

  /** Adds what another one has gathered of the same process, without looking at its sockets again. */
  addAll(other: CaseBuilder): void {
    // In the order of their ages, where another one has looked at those.
    if (other.#sorted) other.#sorted.each((row) => this.#rows.push(row));
    else this.#rows = this.#rows.concat(other.#rows);
    this.#stuck += other.#stuck;
    this.#maybeStuck += other.#maybeStuck;
    this.#inbound += other.#inbound;
    for (const listener of other.#listeners) this.#listeners.add(listener);
    for (const [process, sockets] of other.#coHolders) this.#addCoHolder(process, sockets);
    for (const [peer, ports] of other.#peers) {
      for (const [port, known] of ports) {
        const group = this.#peerAt(peer, port);
        group.sockets += known.sockets;
        if (known.process) this.#nameProcess(group, known.process);
        if (other.#severalProcesses.has(known)) this.#nameNoProcess(group);
      }
    }
  }

  #addCoHolder(process: Process, sockets: number): void {
    this.#coHolders.set(process, (this.#coHolders.get(process) ?? 0) + sockets);
  }

  #addPeer(row: number, inbound: boolean): void {
    const { table, ends } = this.#context;
    const peer = table.cell(row, COLUMN.peer);
    const port = inbound ? ANY_PORT : table.peerPort(row);
    // One after the other they are mostly of one peer.
    if (port !== this.#lastPort || peer !== this.#lastPeer) {
      this.#lastPort = port;
      this.#lastPeer = peer;
      this.#lastGroup = this.#peerAt(peer, port);
    }
    this.#lastGroup.sockets++;
    const process = ends.processOf(table, row);
    if (process) this.#nameProcess(this.#lastGroup, process);
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
  #lastPeer = -1;
  #lastGroup: PeerGroup = { address: '', sockets: 0 };

  #peerAt(peer: number, port: number): PeerGroup {
    const ports = remembered(this.#peers, peer, () => new Map<number, PeerGroup>());
    return remembered(ports, port, () => {
      const address = this.#context.table.addresses[peer] ?? '';
      const service = this.#context.services.get(port);
      return { address, sockets: 0, ...(port !== ANY_PORT && { port }), ...(service && { service }) };
    });
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
    const sockets = oldestFirst(new SocketRows(this.#context.table, new Uint32Array(this.#rows)));
    this.#sorted = sockets;
    const uid = this.#who.process ? undefined : sockets.at(0)?.uid;
    const [listener] = this.#listeners;
    const waits = this.#context.waits.of(this.#who.process);
    const one = listener && this.#listeners.size === 1 && this.#inbound === sockets.length;
    return {
      ...(one && { listener }),
      ...this.#who,
      ...(uid !== undefined && { uid }),
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
function oldestFirst(sockets: SocketRows): SocketRows {
  const { table, rows } = sockets;
  const ages = agesAtLeast(sockets);
  if (rows.length > MOST_PLACES) {
    const places = Uint32Array.from(rows.keys()).sort((a, b) => (ages[b] ?? 0) - (ages[a] ?? 0) || a - b);
    return new SocketRows(
      table,
      places.map((place) => rows[place] ?? 0),
    );
  }
  const keys = new Float64Array(rows.length);
  let isSorted = true;
  for (let place = 0; place < keys.length; place++) {
    const age = ages[place] ?? 0;
    if (place > 0 && age > (ages[place - 1] ?? 0)) isSorted = false;
    keys[place] = (YOUNGEST - age) * MOST_PLACES + place;
  }
  if (isSorted) return sockets;
  keys.sort();
  const sorted = new Uint32Array(rows.length);
  for (let place = 0; place < keys.length; place++) {
    const key = keys[place] ?? 0;
    // As key % MOST_PLACES, which takes ten times as long.
    sorted[place] = rows[key - Math.floor(key / MOST_PLACES) * MOST_PLACES] ?? 0;
  }
  return new SocketRows(table, sorted);
}
