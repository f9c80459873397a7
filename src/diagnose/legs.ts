import type { TcpSocket } from '../model/socket.ts';

/** What comes in on one leg goes out on the other at once. */
const RELAYED_WITHIN_MS = 100;

/** A connection and whether it came in. */
export type Leg = { socket: TcpSocket; inbound: boolean };

/**
 * Finds for connections in CLOSE_WAIT the other leg, as a relay has it: of the same process, in the other direction, and
 * the times tell that what came on one was sent on the other, both ways. Each is the other leg of one only.
 */
export function matchLegs(stuck: readonly Leg[], others: readonly Leg[]): Map<TcpSocket, TcpSocket> {
  const legs = new Map<TcpSocket, TcpSocket>();
  const bySent = new Map<number, Leg[]>();
  for (const other of others) {
    const { state, lastDataSentMs } = other.socket;
    if ((state !== 'ESTABLISHED' && state !== 'FIN_WAIT2') || lastDataSentMs === undefined) continue;
    const slot = Math.floor(lastDataSentMs / RELAYED_WITHIN_MS);
    const same = bySent.get(slot);
    if (same) same.push(other);
    else bySent.set(slot, [other]);
  }
  if (bySent.size === 0) return legs;
  const taken = new Set<TcpSocket>();
  for (const { socket, inbound } of stuck) {
    const slot = Math.floor((socket.lastDataReceivedMs ?? -1e9) / RELAYED_WITHIN_MS);
    const leg = [slot, slot - 1, slot + 1]
      .flatMap((it) => bySent.get(it) ?? [])
      .find((it) => it.inbound !== inbound && !taken.has(it.socket) && relays(socket, it.socket));
    if (!leg) continue;
    taken.add(leg.socket);
    legs.set(socket, leg.socket);
  }
  return legs;
}

const relays = (one: TcpSocket, other: TcpSocket): boolean =>
  isClose(one.lastDataReceivedMs, other.lastDataSentMs) && isClose(one.lastDataSentMs, other.lastDataReceivedMs);

const isClose = (a: number | undefined, b: number | undefined): boolean =>
  a !== undefined && b !== undefined && Math.abs(a - b) <= RELAYED_WITHIN_MS;
