import type { Case, Direction, PeerGroup } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import { endOfRun, NumberList } from '../model/runs.ts';
import type { Listener } from '../model/socket.ts';
import { SocketRows, type SocketTable, UNKNOWN } from '../model/socket-table.ts';
import { agesOf, countStandings, isFalling, type Standings } from './ages.ts';
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
  /** Those that hold something. */
  processes: ReadonlyMap<number, Process>;
  /** False in a capture of connections alone: what no listener explains need not be outbound. */
  listenersShown: boolean;
  holders: Holders;
  ends: OtherEnds;
  waits: WaitReader;
  index: ListenerIndex;
  services: ReadonlyMap<number, string>;
};

const UNKNOWN_WAY: Way = { inbound: false, listener: undefined };

export const wayOf = ({ table, ways }: CaseContext, row: number): Way => ways[table.end[row] ?? 0] ?? UNKNOWN_WAY;

/** Stands for the ports of all inbound connections from one address; no connection has it. */
const ANY_PORT = 0;

/** Gathers the sockets of one case, each of them looked at once: there may be 100,000. */
export class CaseBuilder {
  readonly #context: CaseContext;
  readonly #who: Pick<Case, 'kind' | 'process' | 'listener'>;
  /** In the order in which they came. */
  readonly #rows = new NumberList();
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

  add(row: number): void {
    const { table, stuckAfterMs } = this.#context;
    const rows = Uint32Array.of(row);
    this.addRows(rows, countStandings(table, stuckAfterMs, rows));
  }

  addRows(rows: Uint32Array, { stuck, maybe }: Standings): void {
    const { table } = this.#context;
    const { length } = rows;
    this.#rows.add(rows);
    this.#stuck += stuck;
    this.#maybeStuck += maybe;
    for (let from = 0, to = 0; from < length; from = to) {
      to = endOfRun(table.end, rows, from, length);
      const { inbound, listener } = wayOf(this.#context, rows[from] ?? 0);
      if (listener) this.#listeners.add(listener);
      if (inbound) this.#inbound += to - from;
      this.#addPeers(rows, from, to, inbound);
    }
    this.#addOtherEnds(rows);
    if (this.#who.kind === 'held') this.#addCoHolders(rows);
  }

  #addPeers(rows: Uint32Array, from: number, to: number, inbound: boolean): void {
    const { peer, peerPort } = this.#context.table;
    for (let place = from, end = 0; place < to; place = end) {
      end = endOfRun(peer, rows, place, to);
      if (inbound) {
        this.#peerOf(rows[place] ?? 0, inbound).sockets += end - place;
        continue;
      }
      for (let first = place, next = 0; first < end; first = next) {
        next = endOfRun(peerPort, rows, first, end);
        this.#peerOf(rows[first] ?? 0, inbound).sockets += next - first;
      }
    }
  }

  #addOtherEnds(rows: Uint32Array): void {
    const { table, ends } = this.#context;
    for (let place = 0; place < rows.length; place++) {
      place = ends.nextThatMayBe(table.peerPort, rows, place);
      const row = rows[place];
      const process = row === undefined ? undefined : ends.processOf(table, row);
      if (row === undefined || !process) continue;
      this.#nameProcess(this.#peerOf(row, wayOf(this.#context, row).inbound), process);
    }
  }

  /** Of a connection that came in, its port does not matter. */
  #peerOf(row: number, inbound: boolean): PeerGroup {
    const { table } = this.#context;
    return this.#peerAt(table.peer[row] ?? 0, inbound ? ANY_PORT : table.peerPortAt(row));
  }

  #addCoHolders(rows: Uint32Array): void {
    const { table, holders } = this.#context;
    for (let from = 0, to = 0; from < rows.length; from = to) {
      to = endOfRun(table.holder, rows, from, rows.length);
      if (table.holder[rows[from] ?? 0] !== UNKNOWN) continue;
      for (const row of rows.subarray(from, to))
        for (const other of holders.others(table.inode[row], this.#who.process)) this.#addCoHolder(other, 1);
    }
  }

  /** Adds what another one has gathered of the same process, without looking at its sockets again. */
  addAll(other: CaseBuilder): void {
    // In the order of their ages, where another one has looked at those.
    this.#rows.add(other.#sorted?.rows ?? other.#rows.numbers);
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
    const sockets = oldestFirst(new SocketRows(this.#context.table, this.#rows.numbers));
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

// Descriptors come in order, and the lowest is mostly the oldest.
function oldestFirst(sockets: SocketRows): SocketRows {
  const ages = agesOf(sockets).atLeast;
  return isFalling(ages) ? sockets : new SocketRows(sockets.table, sortedBy(ages, sockets.rows));
}

const DIGIT_BITS = 11;
const DIGITS = 2 ** DIGIT_BITS;

/** The rows with the greatest age first, digit by digit (radix sort): equal ones stay in their order, and nothing is compared. */
function sortedBy(ages: Uint32Array, rows: Uint32Array): Uint32Array {
  const oldest = largestOf(ages);
  const span = oldest - smallestOf(ages);
  let from = { ages, rows };
  for (let shift = 0; shift < 32 && span >>> shift > 0; shift += DIGIT_BITS) {
    const to = { ages: new Uint32Array(rows.length), rows: new Uint32Array(rows.length) };
    sortByDigit(from, to, { oldest, shift, places: placesOfDigits(from.ages, oldest, shift) });
    from = to;
  }
  return from.rows;
}

function largestOf(ages: Uint32Array): number {
  let largest = 0;
  for (let i = 0; i < ages.length; i++) if ((ages[i] ?? 0) > largest) largest = ages[i] ?? 0;
  return largest;
}

function smallestOf(ages: Uint32Array): number {
  let smallest = ages[0] ?? 0;
  for (let i = 0; i < ages.length; i++) if ((ages[i] ?? 0) < smallest) smallest = ages[i] ?? 0;
  return smallest;
}

/** Where those with each digit begin when they are sorted by it: a digit of how much younger they are than the oldest. */
function placesOfDigits(ages: Uint32Array, oldest: number, shift: number): Uint32Array {
  const places = new Uint32Array(DIGITS);
  countDigits(ages, oldest, shift, places);
  let begin = 0;
  for (let digit = 0; digit < DIGITS; digit++) {
    const count = places[digit] ?? 0;
    places[digit] = begin;
    begin += count;
  }
  return places;
}

function countDigits(ages: Uint32Array, oldest: number, shift: number, counts: Uint32Array): void {
  for (let i = 0; i < ages.length; i++) {
    const digit = ((oldest - (ages[i] ?? 0)) >>> shift) & (DIGITS - 1);
    counts[digit] = (counts[digit] ?? 0) + 1;
  }
}

type Sorted = { ages: Uint32Array; rows: Uint32Array };

function sortByDigit(
  from: Sorted,
  to: Sorted,
  { oldest, shift, places }: { oldest: number; shift: number; places: Uint32Array },
): void {
  for (let i = 0; i < from.ages.length; i++) {
    const age = from.ages[i] ?? 0;
    const digit = ((oldest - age) >>> shift) & (DIGITS - 1);
    const place = places[digit] ?? 0;
    places[digit] = place + 1;
    to.ages[place] = age;
    to.rows[place] = from.rows[i] ?? 0;
  }
}
