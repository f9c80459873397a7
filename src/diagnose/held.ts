import type { Case, Connection, Interest, Traits } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import type { Listener, TcpSocket } from '../model/socket.ts';
import { standingOf } from './ages.ts';
import { CaseBuilder, type CaseContext } from './case-builder.ts';
import type { Item, Judge, JudgedCase } from './judged.ts';
import { matchLegs } from './legs.ts';
import { mergeParts, type Part } from './merge.ts';
import { traitsOf } from './traits.ts';

/** Other connections of the same process; absent when they were not read. */
export type Elsewhere = { connections: number; siblings: Connection[] } | undefined;

/**
 * The CLOSE_WAIT sockets that one process holds. They can have several causes, so they are sorted by what the kernel says
 * of each, every sort is judged, and what has the same cause is put together again.
 */
export class HeldSockets {
  readonly #context: CaseContext;
  readonly #process: Process;
  readonly #items: Item[] = [];

  constructor(context: CaseContext, process: Process) {
    this.#context = context;
    this.#process = process;
  }

  add(socket: TcpSocket, inbound: boolean, listener: Listener | undefined): void {
    this.#items.push({ socket, inbound, listener });
  }

  /** All in one case. */
  whole(elsewhere: Elsewhere): Case {
    return this.#build(this.#items, elsewhere);
  }

  cases(elsewhere: Elsewhere, judge: Judge): JudgedCase[] {
    const { stuckAfterMs } = this.#context;
    const young: Item[] = [];
    const stuck: Item[] = [];
    for (const item of this.#items) {
      (standingOf(item.socket, stuckAfterMs) === 'young' ? young : stuck).push(item);
    }
    const inbound = stuck.filter((item) => item.inbound).map(({ socket }) => socket);
    const parts = this.#sort(stuck, elsewhere).map(({ items, traits }): Part => {
      const subject = this.#build(items, elsewhere, traits, inbound);
      return { items, judged: judge(subject), subject };
    });
    return mergeParts(parts, young, this.#process).map(({ items, judged, subject }) => {
      const built = subject ?? this.#build(items, elsewhere);
      return { subject: built, judged: judged ?? judge(built) };
    });
  }

  #sort(stuck: Item[], elsewhere: Elsewhere): { items: Item[]; traits: Traits }[] {
    const legs = credibleLegs(stuck, matchLegs(stuck, elsewhere?.siblings ?? []));
    const sides = sidesOf(stuck);
    const sorts = new Map<number, { items: Item[]; traits: Traits }>();
    // One after the other they are mostly of one sort.
    let last: { side: number; traits: Traits; items: Item[] } | undefined;
    stuck.forEach((item, i) => {
      const traits = traitsOf(this.#process, this.#context.takenAt, item.socket);
      const leg = legs.size === 0 ? undefined : legs.get(item.socket);
      const side = sides[i] ?? 0;
      if (last && !leg && traits === last.traits && side === last.side) {
        last.items.push(item);
        return;
      }
      const key = side * KINDS + kindOf(traits, leg !== undefined);
      let sort = sorts.get(key);
      if (!sort) {
        sort = { items: [], traits: { ...traits, ...(leg && { legs: [] }) } };
        sorts.set(key, sort);
      }
      sort.items.push(item);
      if (leg) sort.traits.legs?.push(leg);
      else last = { side, traits, items: sort.items };
    });
    return [...sorts.values()];
  }

  #build(items: Item[], elsewhere: Elsewhere, traits?: Traits, besides: TcpSocket[] = []): Case {
    const builder = new CaseBuilder(this.#context, { kind: 'held', process: this.#process });
    for (const { socket, inbound, listener } of items) builder.add(socket, inbound, listener);
    const others = this.#items.length - items.length;
    const subject = builder.build(elsewhere && elsewhere.connections + others);
    return {
      ...subject,
      ...(traits && { traits, besides }),
      ...(elsewhere && { siblings: elsewhere.siblings }),
    };
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

function credibleLegs(stuck: Item[], legs: Map<TcpSocket, TcpSocket>): Map<TcpSocket, TcpSocket> {
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

/** A number for the side each came from: the port it came in at, or the server it went out to. */
function sidesOf(items: Item[]): number[] {
  const ports = new Map<number, number>();
  const servers = new Map<string, number>();
  const numbers = items.map(({ socket, inbound }) => {
    const next = ports.size + servers.size + 2;
    return inbound
      ? numberIn(ports, socket.local.port, next)
      : numberIn(servers, `${socket.peer.address} ${socket.peer.port}`, next);
  });
  return numbers.map((number, i) => {
    if (items[i]?.inbound) return ports.size > MOST_SIDES ? 0 : number;
    return servers.size > MOST_SIDES ? 1 : number;
  });
}

function numberIn<K>(known: Map<K, number>, key: K, next: number): number {
  const number = known.get(key);
  if (number !== undefined) return number;
  known.set(key, next);
  return next;
}
