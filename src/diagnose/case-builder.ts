import type { Case, Direction, PeerGroup } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import type { Listener } from '../model/socket.ts';
import { SocketRows, type SocketTable, UNKNOWN } from '../model/socket-table.ts';
import { agesAtLeast, STANDING } from './ages.ts';
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
  /** Of each row, as numbers. */
  standings: Uint8Array;
  takenAt: number;
  /** False in a capture of connections alone: what no listener explains need not be outbound. */
  listenersShown: boolean;
  holders: Holders;
  ends: OtherEnds;
  waits: WaitReader;
  index: ListenerIndex;
  services: ReadonlyMap<number, string>;
};

export const UNKNOWN_WAY: Way = { inbound: false, listener: undefined };

export const wayOf = ({ table, ways }: CaseContext, row: number): Way => ways[table.end[row] ?? 0] ?? UNKNOWN_WAY;

/** Stands for the ports of all inbound connections from one address; no connection has it. */
const ANY_PORT = 0;

/** Gathers the sockets of one case, each of them looked at once: there may be 100,000. */
export class CaseBuilder {
  readonly #context: CaseContext;
  readonly #who: Pick<Case, 'kind' | 'process' | 'listener'>;
  /** The rows, in the order in which they came. */
  readonly #chunks: Uint32Array[] = [];
  #size = 0;
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
    return this.#size;
  }

  add(row: number): void {
    this.addRows(Uint32Array.of(row));
  }

  addRows(rows: Uint32Array): void {
    const { table, ways, standings, ends } = this.#context;
    const { end, peer, peerPort } = table;
    this.#chunks.push(rows);
    this.#size += rows.length;
    // One after the other they mostly have the same ends.
    let lastEnd = -1;
    let way = UNKNOWN_WAY;
    let lastPeer = -1;
    let lastPort = -1;
    let group: PeerGroup | undefined;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] ?? 0;
      if (standings[row] === STANDING.stuck) this.#stuck++;
      else if (standings[row] === STANDING.maybe) this.#maybeStuck++;
      if (end[row] !== lastEnd) {
        lastEnd = end[row] ?? 0;
        way = ways[lastEnd] ?? UNKNOWN_WAY;
        if (way.listener) this.#listeners.add(way.listener);
      }
      if (way.inbound) this.#inbound++;
      const port = way.inbound ? ANY_PORT : (peerPort[row] ?? 0) | 0;
      if (!group || port !== lastPort || peer[row] !== lastPeer) {
        lastPort = port;
        lastPeer = peer[row] ?? 0;
        group = this.#peerAt(lastPeer, port);
      }
      group.sockets++;
      if (ends.mayBeAt((peerPort[row] ?? 0) | 0)) this.#addOtherEnd(group, row);
    }
    if (this.#who.kind === 'held') this.#addCoHolders(rows);
  }

  #addOtherEnd(group: PeerGroup, row: number): void {
    const process = this.#context.ends.processOf(this.#context.table, row);
    if (process) this.#nameProcess(group, process);
  }

  #addCoHolders(rows: Uint32Array): void {
    const { table, holders } = this.#context;
    const { inode, holder } = table;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] ?? 0;
      if (holder[row] !== UNKNOWN) continue;
      for (const other of holders.others(inode[row], this.#who.process)) this.#addCoHolder(other, 1);
    }
  }

  /** Adds what another one has gathered of the same process, without looking at its sockets again. */
  addAll(other: CaseBuilder): void {
    // In the order of their ages, where another one has looked at those.
    if (other.#sorted) this.#chunks.push(other.#sorted.rows);
    else this.#chunks.push(...other.#chunks);
    this.#size += other.#size;
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

  #nameProcess(group: PeerGroup, { pid, name }: Pick<Process, 'pid' | 'name'>): void {
    if (this.#severalProcesses.has(group)) return;
    if (group.process === undefined) group.process = { pid, name };
    else if (group.process.pid !== pid) this.#nameNoProcess(group);
  }

  #nameNoProcess(group: PeerGroup): void {
    this.#severalProcesses.add(group);
    delete group.process;
  }

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
    const sockets = oldestFirst(new SocketRows(this.#context.table, together(this.#chunks, this.#size)));
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

function together(chunks: readonly Uint32Array[], size: number): Uint32Array {
  const [only] = chunks;
  if (only && chunks.length === 1) return only;
  const all = new Uint32Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

// Descriptors come in order, and the lowest is mostly the oldest.
function oldestFirst(sockets: SocketRows): SocketRows {
  const ages = agesAtLeast(sockets);
  return isSorted(ages) ? sockets : new SocketRows(sockets.table, sortedBy(ages, sockets.rows));
}

const DIGIT_BITS = 11;
const DIGITS = 2 ** DIGIT_BITS;

/** The rows with the greatest age first, digit by digit (radix sort): equal ones stay in their order, and nothing is compared. */
function sortedBy(ages: Uint32Array, rows: Uint32Array): Uint32Array {
  let [oldest, youngest] = [0, ages[0] ?? 0];
  for (let i = 0; i < ages.length; i++) {
    const age = ages[i] ?? 0;
    if (age > oldest) oldest = age;
    if (age < youngest) youngest = age;
  }
  let keys = ages.map((age) => oldest - age);
  let sorted = rows;
  for (let shift = 0; shift < 32 && (oldest - youngest) >>> shift > 0; shift += DIGIT_BITS) {
    const places = new Uint32Array(DIGITS + 1);
    for (let i = 0; i < keys.length; i++) {
      const digit = (((keys[i] ?? 0) >>> shift) & (DIGITS - 1)) + 1;
      places[digit] = (places[digit] ?? 0) + 1;
    }
    for (let digit = 1; digit < places.length; digit++) places[digit] = (places[digit] ?? 0) + (places[digit - 1] ?? 0);
    const nextKeys = new Uint32Array(keys.length);
    const next = new Uint32Array(keys.length);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] ?? 0;
      const digit = (key >>> shift) & (DIGITS - 1);
      const place = places[digit] ?? 0;
      places[digit] = place + 1;
      nextKeys[place] = key;
      next[place] = sorted[i] ?? 0;
    }
    keys = nextKeys;
    sorted = next;
  }
  return sorted;
}

function isSorted(ages: Uint32Array): boolean {
  for (let i = 1; i < ages.length; i++) if ((ages[i] ?? 0) > (ages[i - 1] ?? 0)) return false;
  return true;
}
