import type { Case, Connection, Interest, Traits } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import type { TcpSocket } from '../model/socket.ts';
import { SocketRows } from '../model/socket-table.ts';
import { STANDING } from './ages.ts';
import { CaseBuilder, type CaseContext, wayOf } from './case-builder.ts';
import type { Judge, JudgedCase } from './judged.ts';
import { matchLegs } from './legs.ts';
import { type Lot, mergeParts, type Part } from './merge.ts';
import { remembered } from './remembered.ts';
import { MOST_TRAITS, traitNumbers, traitsOf } from './traits.ts';

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
    return this.#build(this.#builder(Uint32Array.from(this.#rows)), elsewhere);
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
    const { table, ways, standings } = this.#context;
    const { end } = table;
    const all = this.#rows;
    const stuck = new Uint32Array(all.length);
    const inbound = new Uint32Array(all.length);
    const young: Record<'in' | 'out', number[]> = { in: [], out: [] };
    let count = 0;
    let inboundCount = 0;
    for (let i = 0; i < all.length; i++) {
      const row = all[i] ?? 0;
      const cameIn = ways[end[row] ?? 0]?.inbound === true;
      if (standings[row] === STANDING.young) young[cameIn ? 'in' : 'out'].push(row);
      else {
        stuck[count++] = row;
        if (cameIn) inbound[inboundCount++] = row;
      }
    }
    return {
      sorts: this.#sorts(stuck.subarray(0, count), elsewhere),
      young: [this.#lot(true, young.in), this.#lot(false, young.out)].filter(({ sockets }) => sockets.size > 0),
      inbound: new SocketRows(table, inbound.subarray(0, inboundCount)),
    };
  }

  #lot(inbound: boolean, rows: readonly number[]): Lot {
    return { inbound, sockets: this.#builder(Uint32Array.from(rows)) };
  }

  #sorts(stuck: Uint32Array, elsewhere: Elsewhere): Sort[] {
    const { table, takenAt } = this.#context;
    const legs = this.#legs(stuck, elsewhere);
    const sides = sidesOf(this.#context, stuck);
    const numbers = traitNumbers(this.#process, takenAt, table, stuck);
    const sorts = new Map<number, { rows: number[]; traits: Traits }>();
    const alike = new Map<number, { rows: number[]; traits: Traits }>();
    // One after the other they are mostly of one sort.
    let last = -1;
    let sort: { rows: number[]; traits: Traits } | undefined;
    for (let i = 0; i < stuck.length; i++) {
      const row = stuck[i] ?? 0;
      const leg = legs?.get(table.at(row) as TcpSocket);
      const like = ((sides[i] ?? 0) * MOST_TRAITS + (numbers[i] ?? 0)) * 2 + (leg ? 1 : 0);
      if (!sort || like !== last) {
        last = like;
        sort = remembered(alike, like, () => {
          const traits = traitsOf(numbers[i] ?? 0);
          return remembered(sorts, (sides[i] ?? 0) * KINDS + kindOf(traits, leg !== undefined), () => ({
            rows: [],
            traits: { ...traits, ...(leg && { legs: [] }) },
          }));
        });
      }
      sort.rows.push(row);
      if (leg) sort.traits.legs?.push(leg);
    }
    return [...sorts.values()].map(({ rows, traits }) => ({
      inbound: wayOf(this.#context, rows[0] ?? 0).inbound,
      sockets: this.#builder(Uint32Array.from(rows)),
      traits,
    }));
  }

  /** The other leg of each; undefined where there are no connections that could be one. */
  #legs(stuck: Uint32Array, elsewhere: Elsewhere): Map<TcpSocket, TcpSocket> | undefined {
    if (!elsewhere || elsewhere.siblings.length === 0) return undefined;
    const connections: Connection[] = [];
    for (const row of stuck) {
      const socket = this.#context.table.at(row);
      if (socket) connections.push({ socket, inbound: wayOf(this.#context, row).inbound });
    }
    return credibleLegs(connections, matchLegs(connections, elsewhere.siblings));
  }

  #builder(rows: Uint32Array): CaseBuilder {
    const builder = new CaseBuilder(this.#context, { kind: 'held', process: this.#process });
    if (rows.length > 0) builder.addRows(rows);
    return builder;
  }

  #together(lots: Lot[]): CaseBuilder {
    const builder = this.#builder(new Uint32Array());
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

/** On which side sockets came about, as numbers: the port they came in at, or the server they went out to. */
function sidesOf({ table, ways }: CaseContext, rows: Uint32Array): Uint32Array {
  const { end, peer, peerPort } = table;
  const ports = new Map<number, number>();
  const servers = new Map<number, number>();
  const sides = new Uint32Array(rows.length);
  // One after the other they are mostly on one.
  let lastKey = -1;
  let side = 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? 0;
    const at = end[row] ?? 0;
    const inbound = ways[at]?.inbound === true;
    const key = inbound ? at : ANY_END + (peer[row] ?? 0) * PORTS + ((peerPort[row] ?? 0) | 0);
    if (key !== lastKey) {
      lastKey = key;
      const next = ports.size + servers.size + FIRST_SIDE;
      side = inbound ? numberIn(ports, table.ends[at]?.local.port ?? 0, next) : numberIn(servers, key, next);
    }
    sides[i] = side;
  }
  if (ports.size <= MOST_SIDES && servers.size <= MOST_SIDES) return sides;
  for (let i = 0; i < rows.length; i++) {
    const inbound = ways[end[rows[i] ?? 0] ?? 0]?.inbound === true;
    if ((inbound ? ports : servers).size > MOST_SIDES) sides[i] = Number(!inbound);
  }
  return sides;
}

/** 0 and 1 are all inbound and all outbound ones. */
const FIRST_SIDE = 2;
/** For an address and a port in one number, above those of local ends. */
const PORTS = 2 ** 20;
const ANY_END = 2 ** 32;

function numberIn(known: Map<number, number>, key: number, next: number): number {
  const number = known.get(key);
  if (number !== undefined) return number;
  known.set(key, next);
  return next;
}
