import type { AgeRange, TcpSocket } from '../model/socket.ts';

/**
 * Time since the socket entered CLOSE_WAIT, from tcp_info. The peer's FIN carries an acknowledgement, so the last one
 * came with it or later: `last_ack_recv <= age`. Data cannot come after the FIN: `age <= last_data_recv`. The bounds
 * agree when the FIN carried or directly followed the last data. The lower one is too young when the peer
 * acknowledged something after its FIN (late writes of ours, keepalive probes); the upper one counts from the start of
 * the connection when no data ever came.
 */
export function ageOf(socket: TcpSocket): AgeRange {
  const { lastAckReceivedMs, lastDataReceivedMs } = socket;
  if (lastAckReceivedMs === undefined || lastDataReceivedMs === undefined) return {};
  return { atLeastMs: Math.min(lastAckReceivedMs, lastDataReceivedMs), atMostMs: lastDataReceivedMs };
}

/** The lower bound alone, 0 when it is not known: for sorting. */
export const ageAtLeast = ({ lastAckReceivedMs = 0, lastDataReceivedMs = 0 }: TcpSocket): number =>
  Math.min(lastAckReceivedMs, lastDataReceivedMs);

/** Both times are counted in ticks of the kernel's clock, at most 10 ms long, and are read one after the other. */
const SAME_MOMENT_MS = 100;

export const isExact = ({ atLeastMs, atMostMs }: AgeRange): boolean =>
  atLeastMs !== undefined && atMostMs !== undefined && atMostMs - atLeastMs <= SAME_MOMENT_MS;

/** As `isExact(ageOf(socket))`, for the many. */
export const hasExactAge = ({ lastAckReceivedMs, lastDataReceivedMs }: TcpSocket): boolean =>
  lastAckReceivedMs !== undefined &&
  lastDataReceivedMs !== undefined &&
  lastDataReceivedMs - lastAckReceivedMs <= SAME_MOMENT_MS;

/** Whether a socket has been in CLOSE_WAIT for longer than the limit: `maybe` when its age cannot tell. */
export type Standing = 'stuck' | 'maybe' | 'young';

export function standingOf(socket: TcpSocket, stuckAfterMs: number): Standing {
  const { lastAckReceivedMs, lastDataReceivedMs } = socket;
  if (lastAckReceivedMs === undefined || lastDataReceivedMs === undefined) return 'maybe';
  const atLeastMs = Math.min(lastAckReceivedMs, lastDataReceivedMs);
  if (atLeastMs >= stuckAfterMs) return 'stuck';
  if (lastDataReceivedMs < stuckAfterMs) return 'young';
  return lowerBoundMayBeRenewed(socket, atLeastMs) ? 'maybe' : 'young';
}

// A peer that has sent its FIN says nothing by itself. It acknowledges what this side sends: keepalive probes, or data.
// Without either the lower bound is the age, and the upper one only tells how long the connection had been idle.
function lowerBoundMayBeRenewed(socket: TcpSocket, atLeastMs: number): boolean {
  const sentLaterThanFin =
    socket.lastDataSentMs !== undefined &&
    socket.lastDataReceivedMs !== undefined &&
    socket.lastDataSentMs < socket.lastDataReceivedMs - SAME_MOMENT_MS &&
    socket.lastDataSentMs <= atLeastMs + LATE_ACK_MS;
  return socket.timer !== 'none' || sentLaterThanFin;
}

/** An acknowledgement follows the data it is for within a round trip and the peer's delay (200 ms, RFC 1122: 500 ms). */
const LATE_ACK_MS = 2000;
