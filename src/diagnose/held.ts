import type { Case, Connection, Interest, Traits } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import type { TcpSocket } from '../model/socket.ts';
import { COLUMN, SocketRows, type SocketTable } from '../model/socket-table.ts';
import { type Standing, standingAt } from './ages.ts';
import { CaseBuilder, type CaseContext } from './case-builder.ts';
import type { Judge, JudgedCase, Way } from './judged.ts';
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
  /** Of each of them. */
  readonly #ways: Way[] = [];

  constructor(context: CaseContext, process: Process) {
    this.#context = context;
    this.#process = process;
  }

  add(row: number, way: Way): void {
    this.#rows.push(row);
    this.#ways.push(way);
  }

  /** All in one case. */
  whole(elsewhere: Elsewhere): Case {
    const builder = this.#builder();
    const { table, stuckAfterMs } = this.#context;
    this.#each((row, way) => builder.add(row, way, standingAt(table, row, stuckAfterMs)));
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

  #each(use: (row: number, way: Way, index: number) => void): void {
    for (let index = 0; index < this.#rows.length; index++) {
      const way = this.#ways[index];
      if (way) use(this.#rows[index] ?? 0, way, index);
    }
  }

  /** In the order in which the first of each sort came; `inbound` are the inbound stuck sockets of all sorts. */
  #sort(elsewhere: Elsewhere): { sorts: Sort[]; young: Lot[]; inbound: SocketRows } {
    const { table, stuckAfterMs, takenAt } = this.#context;
    const standings: Standing[] = [];
    const sides = new Sides(table);
    const inbound: number[] = [];
    const young = new Map<boolean, Lot>();
    this.#each((row, way) => {
      const standing = standingAt(table, row, stuckAfterMs);
      standings.push(standing);
      sides.add(row, way, standing);
      if (standing === 'young') remembered(young, way.inbound, () => this.#lot(way)).sockets.add(row, way, standing);
      else if (way.inbound) inbound.push(row);
    });
    const legs = this.#legs(standings, elsewhere);
    const sorts = new Map<number, Sort>();
    // One after the other they are mostly of one sort.
    let last: { side: number; kind: number; sort: Sort } | undefined;
    this.#each((row, way, index) => {
      const standing = standings[index] ?? 'young';
      if (standing === 'young') return;
      const traits = traitsAt(this.#process, takenAt, table, row);
      const leg = legs?.get(table.at(row) as TcpSocket);
      const side = sides.of(index, way);
      const kind = kindOf(traits, leg !== undefined);
      if (side !== last?.side || kind !== last.kind) {
        const make = (): Sort => ({ ...this.#lot(way), traits: { ...traits, ...(leg && { legs: [] }) } });
        last = { side, kind, sort: remembered(sorts, side * KINDS + kind, make) };
      }
      last.sort.sockets.add(row, way, standing);
      if (leg) last.sort.traits.legs?.push(leg);
    });
    const inboundRows = new SocketRows(table, Uint32Array.from(inbound));
    return { sorts: [...sorts.values()], young: [...young.values()], inbound: inboundRows };
  }

  /** The other leg of each, by row; undefined where there are no connections that could be one. */
  #legs(standings: readonly Standing[], elsewhere: Elsewhere): Map<TcpSocket, TcpSocket> | undefined {
    if (!elsewhere || elsewhere.siblings.length === 0) return undefined;
    const stuck: Connection[] = [];
    this.#each((row, { inbound }, index) => {
      const socket = standings[index] === 'young' ? undefined : this.#context.table.at(row);
      if (socket) stuck.push({ socket, inbound });
    });
    return credibleLegs(stuck, matchLegs(stuck, elsewhere.siblings));
  }

  #lot({ inbound }: Way): Lot {
    return { inbound, sockets: this.#builder() };
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

/** On which side each socket came about: the port it came in at, or the server it went out to. */
class Sides {
  readonly #table: SocketTable;
  readonly #numbers: number[] = [];
  readonly #ports = new Map<number, number>();
  readonly #servers = new Map<number, number>();

  constructor(table: SocketTable) {
    this.#table = table;
  }

  /** Young ones are numbered too, so that all have a place, but have no side. */
  add(row: number, { inbound }: Way, standing: Standing): void {
    const next = this.#ports.size + this.#servers.size + FIRST_SIDE;
    if (standing === 'young') this.#numbers.push(0);
    else if (inbound) this.#numbers.push(numberIn(this.#ports, this.#localPort(row), next));
    else this.#numbers.push(numberIn(this.#servers, this.#server(row), next));
  }

  #localPort(row: number): number {
    return this.#table.ends[this.#table.cell(row, COLUMN.end)]?.local.port ?? 0;
  }

  /** Address and port in one number. */
  #server(row: number): number {
    return this.#table.cell(row, COLUMN.peer) * 2 ** 20 + this.#table.peerPort(row);
  }

  of(index: number, { inbound }: Way): number {
    const isOne = (inbound ? this.#ports : this.#servers).size > MOST_SIDES;
    return isOne ? Number(!inbound) : (this.#numbers[index] ?? 0);
  }
}

/** 0 and 1 are all inbound and all outbound ones. */
const FIRST_SIDE = 2;

function numberIn(known: Map<number, number>, key: number, next: number): number {
  const number = known.get(key);
  if (number !== undefined) return number;
  known.set(key, next);
  return next;
}
