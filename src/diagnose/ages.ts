import type { AgeRange, TcpSocket } from '../model/socket.ts';
import { MARK, SocketRows, type Sockets, type SocketTable, TIMER, UNKNOWN } from '../model/socket-table.ts';

/**
 * Time since the socket entered CLOSE_WAIT, from tcp_info. The peer's FIN carries an acknowledgement, so the last one
 * came with it or later: `last_ack_recv <= age`. Data cannot come after the FIN: `age <= last_data_recv`. The bounds
 * agree when the FIN carried or directly followed the last data. The lower one is too young when the peer
 * acknowledged something after its FIN (late writes of ours, keepalive probes); the upper one counts from the start of
 * the connection when no data ever came.
 */
export function ageOf(socket: TcpSocket): AgeRange {
  const { seenAgoMs, cameWithinMs } = socket;
  const { atLeastMs, atMostMs } = ageFromTcpInfo(socket);
  const least = Math.max(atLeastMs ?? 0, seenAgoMs ?? 0);
  const most = Math.min(atMostMs ?? Number.POSITIVE_INFINITY, cameWithinMs ?? Number.POSITIVE_INFINITY);
  return {
    ...((atLeastMs ?? seenAgoMs) !== undefined && { atLeastMs: least }),
    ...((atMostMs ?? cameWithinMs) !== undefined && { atMostMs: most }),
  };
}

function ageFromTcpInfo({ lastAckReceivedMs, lastDataReceivedMs }: TcpSocket): AgeRange {
  if (lastAckReceivedMs === undefined || lastDataReceivedMs === undefined) return {};
  if (hasWrapped(lastAckReceivedMs, lastDataReceivedMs)) return {};
  return { atLeastMs: Math.min(lastAckReceivedMs, lastDataReceivedMs), atMostMs: lastDataReceivedMs };
}

/** The lower bound alone, 0 when it is not known: for sorting. */
export const ageAtLeast = ({ lastAckReceivedMs = 0, lastDataReceivedMs = 0 }: TcpSocket): number =>
  lowerBound(lastAckReceivedMs, lastDataReceivedMs);

/** The same of each of many. */
export function agesAtLeast({ table, rows }: SocketRows): Uint32Array {
  const { lastAckReceivedMs, lastDataReceivedMs } = table;
  const ages = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? 0;
    const ack = lastAckReceivedMs[row] ?? UNKNOWN;
    const data = lastDataReceivedMs[row] ?? UNKNOWN;
    if (ack !== UNKNOWN && data !== UNKNOWN) ages[i] = lowerBound(ack, data);
  }
  return ages;
}

const lowerBound = (lastAckReceivedMs: number, lastDataReceivedMs: number): number =>
  hasWrapped(lastAckReceivedMs, lastDataReceivedMs) ? 0 : Math.min(lastAckReceivedMs, lastDataReceivedMs);

/**
 * The last data came with an acknowledgement, so that cannot be longer ago. When it is, one of the times has wrapped: they
 * are milliseconds in 32 bits, 49.7 days.
 */
const hasWrapped = (lastAckReceivedMs: number, lastDataReceivedMs: number): boolean =>
  lastAckReceivedMs > lastDataReceivedMs + SAME_MOMENT_MS;

/** Both times are counted in ticks of the kernel's clock, at most 10 ms long, and are read one after the other. */
const SAME_MOMENT_MS = 100;

export const isExact = ({ atLeastMs, atMostMs }: AgeRange): boolean =>
  atLeastMs !== undefined && atMostMs !== undefined && atMostMs - atLeastMs <= SAME_MOMENT_MS;

/** As `isExact(ageOf(socket))`, of the two times of a row. */
export const areExact = (lastAckReceivedMs: number, lastDataReceivedMs: number): boolean =>
  lastAckReceivedMs !== UNKNOWN &&
  lastDataReceivedMs !== UNKNOWN &&
  Math.abs(lastDataReceivedMs - lastAckReceivedMs) <= SAME_MOMENT_MS;

/** What stands for so long is no moment that a program passes through. */
const SETTLED_MS = 30_000;

/** Whether all have stood long enough to prove something by how they stand. */
export const areSettled = (sockets: Sockets): boolean =>
  agesAtLeast(SocketRows.of(sockets)).every((age) => age >= SETTLED_MS);

/** Nothing that the peer acknowledges so much later than it was sent is an acknowledgement of it: a second is long for a round trip. */
const LONGEST_ROUND_TRIP_MS = 1000;
/** The share of an age that two bounds may differ by, and still tell when it began. */
const NEARLY = 0.02;

/**
 * The age of each, where the bounds agree or the lower one cannot have been renewed: no keepalive probe was answered, and the
 * last acknowledgement came too late to be one of data of ours, so it came with the FIN. UNKNOWN when neither is known.
 */
export function knownAges(sockets: SocketRows): Uint32Array {
  const known = KNOWN.get(sockets);
  if (known) return known;
  const { rows, table } = sockets;
  const ages = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) ages[i] = knownAgeAt(table, rows[i] ?? 0);
  KNOWN.set(sockets, ages);
  return ages;
}

/** Several ask. */
const KNOWN = new WeakMap<SocketRows, Uint32Array>();

function knownAgeAt(table: SocketTable, row: number): number {
  const ack = table.lastAckReceivedMs[row] ?? UNKNOWN;
  const data = table.lastDataReceivedMs[row] ?? UNKNOWN;
  if (ack === UNKNOWN || data === UNKNOWN || hasWrapped(ack, data)) return UNKNOWN;
  const atLeastMs = Math.min(ack, data);
  const differ = data - atLeastMs;
  if (differ <= SAME_MOMENT_MS || differ <= NEARLY * atLeastMs) return atLeastMs;
  const sent = table.lastDataSentMs[row] ?? UNKNOWN;
  const keepalive = ((table.marks[row] ?? 0) & MARK.keepalive) !== 0;
  if (table.timer[row] !== TIMER.none || keepalive || sent === UNKNOWN) return UNKNOWN;
  return sent - ack > LONGEST_ROUND_TRIP_MS ? atLeastMs : UNKNOWN;
}

/** Whether a socket has been in CLOSE_WAIT for longer than the limit: `maybe` when its age cannot tell. */
export type Standing = 'stuck' | 'maybe' | 'young';

/** Numbers of the standings, for those of many. */
export const STANDING = { young: 0, maybe: 1, stuck: 2 } as const;
const STANDINGS: readonly Standing[] = ['young', 'maybe', 'stuck'];

export function standingOf(socket: TcpSocket, stuckAfterMs: number): Standing {
  const { seenAgoMs, cameWithinMs, timer } = socket;
  if (seenAgoMs !== undefined && seenAgoMs >= stuckAfterMs) return 'stuck';
  if (cameWithinMs !== undefined && cameWithinMs < stuckAfterMs) return 'young';
  const { lastAckReceivedMs = UNKNOWN, lastDataReceivedMs = UNKNOWN, lastDataSentMs = UNKNOWN } = socket;
  return (
    STANDINGS[standingBy(lastAckReceivedMs, lastDataReceivedMs, lastDataSentMs, timer !== 'none', stuckAfterMs)] ??
    'maybe'
  );
}

/** The same of a row. */
export function standingAt(table: SocketTable, row: number, stuckAfterMs: number): Standing {
  if (table.hasHistory) {
    const socket = table.at(row);
    return socket ? standingOf(socket, stuckAfterMs) : 'maybe';
  }
  const ack = table.lastAckReceivedMs[row] ?? UNKNOWN;
  const data = table.lastDataReceivedMs[row] ?? UNKNOWN;
  const sent = table.lastDataSentMs[row] ?? UNKNOWN;
  return STANDINGS[standingBy(ack, data, sent, table.timer[row] !== TIMER.none, stuckAfterMs)] ?? 'maybe';
}

/** The same of every row, as numbers. */
export function standingsOf(table: SocketTable, stuckAfterMs: number): Uint8Array {
  const { length, lastAckReceivedMs, lastDataReceivedMs, lastDataSentMs, timer } = table;
  const standings = new Uint8Array(length);
  for (let row = 0; row < length; row++) {
    if (table.hasHistory) {
      standings[row] = STANDING[standingAt(table, row, stuckAfterMs)];
      continue;
    }
    const ack = lastAckReceivedMs[row] ?? UNKNOWN;
    const data = lastDataReceivedMs[row] ?? UNKNOWN;
    const sent = lastDataSentMs[row] ?? UNKNOWN;
    standings[row] = standingBy(ack, data, sent, timer[row] !== TIMER.none, stuckAfterMs);
  }
  return standings;
}

function standingBy(ack: number, data: number, sent: number, hasTimer: boolean, stuckAfterMs: number): number {
  if (ack === UNKNOWN || data === UNKNOWN || hasWrapped(ack, data)) return STANDING.maybe;
  if (ack >= stuckAfterMs && data >= stuckAfterMs) return STANDING.stuck;
  if (data < stuckAfterMs) return STANDING.young;
  // A peer that has sent its FIN says nothing by itself. It acknowledges what this side sends: keepalive probes, or data, and
  // then says when it has read that. Without any of it the lower bound is the age, and the upper one only tells how long the
  // connection had been idle.
  const sentAfterLastData = sent === UNKNOWN || sent < data - SAME_MOMENT_MS;
  return hasTimer || sentAfterLastData ? STANDING.maybe : STANDING.young;
}
