import type { Case, Connection, Traits } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import { endOfEqual, endOfRun, NumberList } from '../model/runs.ts';
import type { TcpSocket } from '../model/socket.ts';
import { SocketRows } from '../model/socket-table.ts';
import { countStandings, STANDING, type Standings } from './ages.ts';
import { CaseBuilder, type CaseContext, wayOf } from './case-builder.ts';
import type { Judge, JudgedCase } from './judged.ts';
import { matchLegs } from './legs.ts';
import { type Lot, mergeParts, type Part } from './merge.ts';
import { remembered } from './remembered.ts';
import { judgedAs, kindsOf, MOST_JUDGED, standingOfKind, traitsOf } from './traits.ts';

/** Other connections of the same process; absent when they were not read. */
export type Elsewhere = { connections: number; siblings: Connection[] } | undefined;

const YOUNG: Standings = { stuck: 0, maybe: 0 };

type Gathered = { rows: NumberList; maybe: number; traits: Traits };

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
  readonly #rows = new NumberList();

  constructor(context: CaseContext, process: Process) {
    this.#context = context;
    this.#process = process;
  }

  add(row: number): void {
    this.#rows.push(row);
  }

  addRows(rows: Uint32Array, from: number, to: number): void {
    this.#rows.add(rows, from, to);
  }

  /** All in one case. */
  whole(elsewhere: Elsewhere): Case {
    const { table, stuckAfterMs } = this.#context;
    const rows = this.#rows.numbers;
    return this.#build(this.#builder(rows, countStandings(table, stuckAfterMs, rows)), elsewhere);
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
    const { table } = this.#context;
    const rows = this.#rows.numbers;
    const kinds = kindsOf(this.#process, this.#context, table, rows);
    const stuck = new NumberList(rows.length);
    const stuckKinds = new NumberList(rows.length);
    const inbound = new NumberList(rows.length);
    const young = { in: new NumberList(), out: new NumberList() };
    for (let from = 0, to = 0; from < rows.length; from = to) {
      to = endOfEqual(kinds, from, rows.length);
      const isYoung = standingOfKind(kinds[from] ?? 0) === STANDING.young;
      if (!isYoung) {
        stuck.add(rows, from, to);
        stuckKinds.add(kinds, from, to);
      }
      for (let first = from, next = 0; first < to; first = next) {
        next = endOfRun(table.end, rows, first, to);
        const cameIn = wayOf(this.#context, rows[first] ?? 0).inbound;
        if (isYoung) young[cameIn ? 'in' : 'out'].add(rows, first, next);
        else if (cameIn) inbound.add(rows, first, next);
      }
    }
    return {
      sorts: this.#sorts(stuck.numbers, stuckKinds.numbers, elsewhere),
      young: [this.#lot(true, young.in), this.#lot(false, young.out)].filter(({ sockets }) => sockets.size > 0),
      inbound: new SocketRows(table, inbound.numbers),
    };
  }

  #lot(inbound: boolean, { numbers }: NumberList): Lot {
    return { inbound, sockets: this.#builder(numbers, YOUNG) };
  }

  #sorts(stuck: Uint32Array, kinds: Uint32Array, elsewhere: Elsewhere): Sort[] {
    const legs = this.#legs(stuck, elsewhere);
    const sides = sidesOf(this.#context, stuck);
    const sorts = new Map<number, Gathered>();
    const add = (from: number, to: number): void => {
      const leg = legs?.get(this.#context.table.at(stuck[from] ?? 0) as TcpSocket);
      const [side = 0, kind = 0] = [sides[from], kinds[from]];
      const sort = remembered(sorts, side * MOST_JUDGED + judgedAs(kind, leg !== undefined), () => ({
        rows: new NumberList(),
        maybe: 0,
        traits: { ...traitsOf(kind), ...(leg && { legs: [] }) },
      }));
      sort.rows.add(stuck, from, to);
      if (standingOfKind(kind) === STANDING.maybe) sort.maybe += to - from;
      if (leg) sort.traits.legs?.push(leg);
    };
    for (let from = 0, to = 0; from < stuck.length; from = to) {
      to = legs ? from + 1 : endOfEqual(kinds, from, stuck.length);
      for (let first = from, next = 0; first < to; first = next) {
        next = endOfEqual(sides, first, to);
        add(first, next);
      }
    }
    return [...sorts.values()].map(({ rows: { numbers: rows }, maybe, traits }) => {
      const sockets = this.#builder(rows, { stuck: rows.length - maybe, maybe });
      return { inbound: wayOf(this.#context, rows[0] ?? 0).inbound, sockets, traits };
    });
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

  #builder(rows: Uint32Array, standings: Standings): CaseBuilder {
    const builder = new CaseBuilder(this.#context, { kind: 'held', process: this.#process });
    if (rows.length > 0) builder.addRows(rows, standings);
    return builder;
  }

  #together(lots: Lot[]): CaseBuilder {
    const builder = this.#builder(new Uint32Array(), YOUNG);
    for (const { sockets } of lots) builder.addAll(sockets);
    return builder;
  }

  #build(builder: CaseBuilder, elsewhere: Elsewhere): Case {
    const others = this.#rows.length - builder.size;
    const subject = builder.build(elsewhere && elsewhere.connections + others);
    return { ...subject, ...(elsewhere && { siblings: elsewhere.siblings }) };
  }
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
function sidesOf(context: CaseContext, rows: Uint32Array): Uint32Array {
  const { table } = context;
  const { end: ends, peer, peerPort } = table;
  const ports = new Map<number, number>();
  const servers = new Map<number, number>();
  const sides = new Uint32Array(rows.length);
  const isInbound = (place: number): boolean => wayOf(context, rows[place] ?? 0).inbound;
  const next = (): number => ports.size + servers.size + FIRST_SIDE;
  for (let from = 0, to = 0; from < rows.length; from = to) {
    to = endOfRun(ends, rows, from, rows.length);
    if (isInbound(from)) {
      const port = table.ends[ends[rows[from] ?? 0] ?? 0]?.local.port ?? 0;
      sides.fill(numberIn(ports, port, next()), from, to);
      continue;
    }
    for (let first = from, last = 0; first < to; first = last) {
      last = endOfRun(peer, rows, first, to);
      for (let same = first, end = 0; same < last; same = end) {
        end = endOfRun(peerPort, rows, same, last);
        const row = rows[same] ?? 0;
        sides.fill(numberIn(servers, (peer[row] ?? 0) * PORTS + table.peerPortAt(row), next()), same, end);
      }
    }
  }
  if (ports.size <= MOST_SIDES && servers.size <= MOST_SIDES) return sides;
  for (let place = 0; place < rows.length; place++) {
    const inbound = isInbound(place);
    if ((inbound ? ports : servers).size > MOST_SIDES) sides[place] = Number(!inbound);
  }
  return sides;
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
