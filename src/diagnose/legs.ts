import type { Connection } from '../model/finding.ts';
import type { TcpSocket } from '../model/socket.ts';

/** What comes in on one leg goes out on the other at once. */
const RELAYED_WITHIN_MS = 100;
/** A leg in FIN_WAIT2 is one that the process has ended in one direction, as only a relay does: it need not be so exact. */
const ENDED_WITHIN_MS = 1000;

/**
 * Finds for connections in CLOSE_WAIT the other leg, as a relay has it: of the same process, in the other direction, and
 * the times tell that what came on one was sent on the other, both ways. Each is the other leg of one only.
 */
export function matchLegs(stuck: readonly Connection[], others: readonly Connection[]): Map<TcpSocket, TcpSocket> {
  const legs = new Map<TcpSocket, TcpSocket>();
  const ended = others.filter(({ socket }) => socket.state === 'FIN_WAIT2');
  const established = others.filter(({ socket }) => socket.state === 'ESTABLISHED');
  for (const [candidates, withinMs] of [
    [ended, RELAYED_WITHIN_MS],
    [ended, ENDED_WITHIN_MS],
    [established, RELAYED_WITHIN_MS],
  ] as const) {
    if (candidates.length > 0) match(stuck, candidates, withinMs, legs);
  }
  return legs;
}

function match(
  stuck: readonly Connection[],
  candidates: readonly Connection[],
  withinMs: number,
  legs: Map<TcpSocket, TcpSocket>,
): void {
  const taken = new Set(legs.values());
  const bySent = new Map<number, Connection[]>();
  for (const candidate of candidates) {
    const { lastDataSentMs } = candidate.socket;
    if (lastDataSentMs === undefined || taken.has(candidate.socket)) continue;
    const slot = Math.floor(lastDataSentMs / withinMs);
    const same = bySent.get(slot);
    if (same) same.push(candidate);
    else bySent.set(slot, [candidate]);
  }
  for (const { socket, inbound } of stuck) {
    if (socket.lastDataReceivedMs === undefined || legs.has(socket)) continue;
    const slot = Math.floor(socket.lastDataReceivedMs / withinMs);
    const isLeg = (it: Connection): boolean => it.inbound !== inbound && relays(socket, it.socket, withinMs);
    for (const near of [slot, slot - 1, slot + 1]) {
      const found = bySent.get(near)?.findIndex(isLeg) ?? -1;
      if (found < 0) continue;
      const [leg] = bySent.get(near)?.splice(found, 1) ?? [];
      if (leg) legs.set(socket, leg.socket);
      break;
    }
  }
}

const relays = (one: TcpSocket, other: TcpSocket, withinMs: number): boolean =>
  isClose(one.lastDataReceivedMs, other.lastDataSentMs, withinMs) &&
  isClose(one.lastDataSentMs, other.lastDataReceivedMs, withinMs);

const isClose = (a: number | undefined, b: number | undefined, withinMs: number): boolean =>
  a !== undefined && b !== undefined && Math.abs(a - b) <= withinMs;
