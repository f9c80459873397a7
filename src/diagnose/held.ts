import type { Case, Connection, Interest, Traits } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import type { TcpSocket } from '../model/socket.ts';
import { COLUMN, SocketRows } from '../model/socket-table.ts';
import { standingAt } from './ages.ts';
import { CaseBuilder, type CaseContext, wayOf } from './case-builder.ts';
import type { Judge, JudgedCase } from './judged.ts';
import { matchLegs } from './legs.ts';
import { type Lot, mergeParts, type Part } from './merge.ts';
import { remembered } from './remembered.ts';
import { traitsAt } from './traits.ts';

/** Other connections of the same process; absent when they were not read. */
export type Elsewhere = { connections: number; siblings: Connection[] } | undefined;

/** Sockets that the kernel says the same of, and that came about on one side. */
type Sort = Lot & { traits: Traits };

/**
 * The CLOSE_WAIT sockets that one process holds. They can have several causes, so they are sorted by what the kernel says
 * of each, every sort is judged, and what has the same cause is put together again.
 */
export class HeldSockets {
  readonly #context: CaseContext;
  readonly #process: Process;
  /** In the table of the context. */
  readonly #rows: number[] = [];

  constructor(context: CaseContext, process: Process) {
    this.#context = context;
    this.#process = process;
  }

  add(row: number): void {
    this.#rows.push(row);
  }

  /** All in one case. */
  whole(elsewhere: Elsewhere): Case {
    const builder = this.#builder();
    const { table, stuckAfterMs } = this.#context;
    for (const row of this.#rows) builder.add(row, standingAt(table, row, stuckAfterMs));
    return this.#build(builder, elsewhere);
  }

  cases(elsewhere: Elsewhere, judge: Judge): JudgedCase[] {
    const { sorts, young, inbound } = this.#sort(elsewhere);
    if (sorts.length === 0) {
      const subject = this.whole(elsewhere);
      return [{ subject, judged: judge(subject) }];
    }
    const parts = sorts.map((sort): Part => {
      const subject = { ...this.#build(sort.sockets, elsewhere), traits: sort.traits, besides: inbound };
      return { ...sort, judged: judge(subject), subject };
    });
    return mergeParts(parts, young, this.#process).map(({ lots, judged, subject }) => {
      const built = subject ?? this.#build(this.#together(lots), elsewhere);
      return { subject: built, judged: judged ?? judge(built) };
    });
  }

  /** In the order in which the first of each sort came; `inbound` are the inbound stuck sockets of all sorts. */
  #sort(elsewhere: Elsewhere): { sorts: Sort[]; young: Lot[]; inbound: SocketRows } {
    const { table, stuckAfterMs } = this.#context;
    const stuck = new Uint32Array(this.#rows.length);
    const young = new Map<boolean, Lot>();
    let count = 0;
    this.#rows.forEach((row) => {
      if (standingAt(table, row, stuckAfterMs) === 'young') this.#youngLot(young, row).add(row, 'young');
      else stuck[count++] = row;
    });
    const rows = stuck.subarray(0, count);
    const inbound = rows.filter((row) => wayOf(this.#context, row).inbound);
    return { sorts: this.#sorts(rows, elsewhere), young: [...young.values()], inbound: new SocketRows(table, inbound) };
  }

  #youngLot(lots: Map<boolean, Lot>, row: number): CaseBuilder {
    const { inbound } = wayOf(this.#context, row);
    return remembered(lots, inbound, () => ({ inbound, sockets: this.#builder() })).sockets;
  }

  #sorts(stuck: Uint32Array, elsewhere: Elsewhere): Sort[] {
    const { table, stuckAfterMs, takenAt } = this.#context;
    const sides = new Sides(this.#context, stuck);
    const legs = this.#legs(stuck, elsewhere);
    const sorts = new Map<number, Sort>();
    // One after the other they are mostly of one sort.
    let last: { side: number; traits: Traits; sort: Sort } | undefined;
    stuck.forEach((row, index) => {
      const traits = traitsAt(this.#process, takenAt, table, row);
      const side = sides.at(index);
      const leg = legs?.get(table.at(row) as TcpSocket);
      const isLike = last !== undefined && !leg && traits === last.traits && side === last.side;
      const sort = last && isLike ? last.sort : this.#sortOf(sorts, row, side, traits, leg !== undefined);
      sort.sockets.add(row, standingAt(table, row, stuckAfterMs));
      if (leg) sort.traits.legs?.push(leg);
      else if (!isLike) last = { side, traits, sort };
    });
    return [...sorts.values()];
  }

  #sortOf(sorts: Map<number, Sort>, row: number, side: number, traits: Traits, hasLeg: boolean): Sort {
    const { inbound } = wayOf(this.#context, row);
    return remembered(sorts, side * KINDS + kindOf(traits, hasLeg), () => ({
      inbound,
      sockets: this.#builder(),
      traits: { ...traits, ...(hasLeg && { legs: [] }) },
    }));
  }

  /** The other leg of each; undefined where there are no connections that could be one. */
  #legs(stuck: Uint32Array, elsewhere: Elsewhere): Map<TcpSocket, TcpSocket> | undefined {
    if (!elsewhere || elsewhere.siblings.length === 0) return undefined;
    const connections: Connection[] = [];
    stuck.forEach((row) => {
      const socket = this.#context.table.at(row);
      if (socket) connections.push({ socket, inbound: wayOf(this.#context, row).inbound });
    });
    return credibleLegs(connections, matchLegs(connections, elsewhere.siblings));
  }

  #builder(): CaseBuilder {
    return new CaseBuilder(this.#context, { kind: 'held', process: this.#process });
  }

  #together(lots: Lot[]): CaseBuilder {
    const builder = this.#builder();
    for (const { sockets } of lots) builder.addAll(sockets);
    return builder;
  }

  #build(builder: CaseBuilder, elsewhere: Elsewhere): Case {
    const others = this.#rows.length - builder.size;
    const subject = builder.build(elsewhere && elsewhere.connections + others);
    return { ...subject, ...(elsewhere && { siblings: elsewhere.siblings }) };
  }
}

const INTERESTS: readonly (Interest | undefined)[] = [undefined, 'none', 'off', 'spent', 'level', 'edge', 'some'];
const RECEPTIONS: readonly Traits['reception'][] = ['read', 'end', 'unread', undefined];
const FLOWS = ['still', 'sending', 'clogged'];
const KINDS = 256;

/** A number for what is judged alike. A flow says all by itself, whatever else is true of a socket. */
function kindOf({ reception, interest, flow, olderThanHolder }: Traits, hasLeg: boolean): number {
  if (flow !== 'still') return FLOWS.indexOf(flow);
  const read = INTERESTS.indexOf(interest) * RECEPTIONS.length + RECEPTIONS.indexOf(reception);
  return FLOWS.length + read + (hasLeg ? 64 : 0) + (olderThanHolder ? 128 : 0);
}

/** A few equal times are chance. So many of them are not, nor is a leg on which the end was passed on (FIN_WAIT2). */
const FEWEST_LEGS = 4;
const MOSTLY = 0.5;

function credibleLegs(stuck: Connection[], legs: Map<TcpSocket, TcpSocket>): Map<TcpSocket, TcpSocket> {
  for (const inbound of [true, false]) {
    const sockets = stuck.filter((it) => it.inbound === inbound).map(({ socket }) => socket);
    const matched = sockets.filter((socket) => legs.has(socket));
    if (matched.length >= FEWEST_LEGS && matched.length >= MOSTLY * sockets.length) continue;
    for (const socket of matched) if (legs.get(socket)?.state !== 'FIN_WAIT2') legs.delete(socket);
  }
  return legs;
}

/** More different ends than this are one side: a program that calls many servers does it in one place. */
const MOST_SIDES = 4;

/** On which side sockets came about: the port they came in at, or the server they went out to. */
class Sides {
  readonly #context: CaseContext;
  readonly #stuck: Uint32Array;
  readonly #numbers: Uint32Array;
  readonly #ports = new Map<number, number>();
  readonly #servers = new Map<number, number>();

  constructor(context: CaseContext, stuck: Uint32Array) {
    this.#context = context;
    this.#stuck = stuck;
    this.#numbers = stuck.map((row) => this.#number(row));
  }

  #number(row: number): number {
    const { table } = this.#context;
    const next = this.#ports.size + this.#servers.size + FIRST_SIDE;
    if (wayOf(this.#context, row).inbound)
      return numberIn(this.#ports, table.ends[table.cell(row, COLUMN.end)]?.local.port ?? 0, next);
    return numberIn(this.#servers, table.cell(row, COLUMN.peer) * PORTS + table.peerPort(row), next);
  }

  /** Of the one at that place. */
  at(index: number): number {
    const { inbound } = wayOf(this.#context, this.#stuck[index] ?? 0);
    const isOne = (inbound ? this.#ports : this.#servers).size > MOST_SIDES;
    return isOne ? Number(!inbound) : (this.#numbers[index] ?? 0);
  }
}

/** 0 and 1 are all inbound and all outbound ones. */
const FIRST_SIDE = 2;
/** For an address and a port in one number. */
const PORTS = 2 ** 20;

function numberIn(known: Map<number, number>, key: number, next: number): number {
  const number = known.get(key);
  if (number !== undefined) return number;
  known.set(key, next);
  return next;
}
