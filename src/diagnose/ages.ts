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

/** What the times of some sockets tell together. */
export type AgeSpan = {
  /** How many have times at all. */
  known: number;
  /** The longest that no data came; no age is more. */
  atMostMs: number;
  /** Whether `isExact(ageOf(socket))` holds of all. */
  exact: boolean;
};

export function ageSpanOf({ table, rows }: SocketRows): AgeSpan {
  const { lastAckReceivedMs, lastDataReceivedMs } = table;
  let known = 0;
  let atMostMs = 0;
  let exact = true;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? 0;
    const ack = lastAckReceivedMs[row] ?? UNKNOWN;
    const data = lastDataReceivedMs[row] ?? UNKNOWN;
    if (ack !== UNKNOWN) known++;
    if (data !== UNKNOWN && data > atMostMs) atMostMs = data;
    if (ack === UNKNOWN || data === UNKNOWN || ack - data > SAME_MOMENT_MS || data - ack > SAME_MOMENT_MS)
      exact = false;
  }
  return { known, atMostMs, exact };
}

/** Whether none is greater than the one before it. */
export function isFalling(ages: Uint32Array): boolean {
  for (let i = 1; i < ages.length; i++) if ((ages[i] ?? 0) > (ages[i - 1] ?? 0)) return false;
  return true;
}

/** What stands for so long is no moment that a program passes through. */
const SETTLED_MS = 30_000;

/** Whether all have stood long enough to prove something by how they stand. */
export const areSettled = (sockets: Sockets): boolean =>
  agesOf(SocketRows.of(sockets)).atLeast.every((age) => age >= SETTLED_MS);

/** Nothing that the peer acknowledges so much later than it was sent is an acknowledgement of it: a second is long for a round trip. */
const LONGEST_ROUND_TRIP_MS = 1000;
/** The share of an age that two bounds may differ by, and still tell when it began. */
const NEARLY = 0.02;

/** Ages of some sockets, at the same places. */
export type Ages = {
  /** The lower bounds, 0 where none is known. */
  atLeast: Uint32Array;
  /**
   * The age where the bounds agree or the lower one cannot have been renewed: no keepalive probe was answered, and the last
   * acknowledgement came too late to be one of data of ours, so it came with the FIN. UNKNOWN when neither is known.
   */
  known: Uint32Array;
};

export function agesOf(sockets: SocketRows): Ages {
  const cached = AGES.get(sockets);
  if (cached) return cached;
  const { length } = sockets;
  const ages = { atLeast: new Uint32Array(length), known: new Uint32Array(length) };
  writeAges(sockets, ages.atLeast, ages.known);
  AGES.set(sockets, ages);
  return ages;
}

/** Several ask. */
const AGES = new WeakMap<SocketRows, Ages>();

function writeAges({ table, rows }: SocketRows, atLeast: Uint32Array, known: Uint32Array): void {
  const { lastAckReceivedMs, lastDataReceivedMs } = table;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? 0;
    const ack = lastAckReceivedMs[row] ?? UNKNOWN;
    const data = lastDataReceivedMs[row] ?? UNKNOWN;
    known[i] = UNKNOWN;
    if (ack === UNKNOWN || data === UNKNOWN || hasWrapped(ack, data)) continue;
    // Data came later than the last acknowledgement, or with it.
    const later = data - ack;
    const least = later < 0 ? data : ack;
    atLeast[i] = least;
    if (later <= SAME_MOMENT_MS || later <= NEARLY * least || cameWithEnd(table, row, ack)) known[i] = least;
  }
}

/** The known ages of those that are stuck, in their order, and their places. */
export type StuckAges = { ages: Uint32Array; places: Uint32Array };

export function stuckAges(sockets: SocketRows, stuckAfterMs: number): StuckAges {
  const { known } = agesOf(sockets);
  const ages = new Uint32Array(known.length);
  const places = new Uint32Array(known.length);
  const count = writeStuck(stuckAfterMs, known, ages, places);
  return { ages: ages.subarray(0, count), places: places.subarray(0, count) };
}

function writeStuck(stuckAfterMs: number, known: Uint32Array, ages: Uint32Array, places: Uint32Array): number {
  let count = 0;
  for (let i = 0; i < known.length; i++) {
    const age = known[i] ?? UNKNOWN;
    if (age === UNKNOWN || age < stuckAfterMs) continue;
    ages[count] = age;
    places[count++] = i;
  }
  return count;
}

/** Whether the last acknowledgement cannot have come later than the FIN. */
function cameWithEnd(table: SocketTable, row: number, ack: number): boolean {
  const sent = table.lastDataSentMs[row] ?? UNKNOWN;
  const keepalive = ((table.marks[row] ?? 0) & MARK.keepalive) !== 0;
  if (table.timer[row] !== TIMER.none || keepalive || sent === UNKNOWN) return false;
  return sent - ack > LONGEST_ROUND_TRIP_MS;
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

/** How many are stuck, and of how many their age cannot tell. */
export type Standings = { stuck: number; maybe: number };

export function countStandings(table: SocketTable, stuckAfterMs: number, rows: Uint32Array): Standings {
  const standings = { stuck: 0, maybe: 0, young: 0 };
  for (let i = 0; i < rows.length; i++) standings[standingAt(table, rows[i] ?? 0, stuckAfterMs)]++;
  return standings;
}

export function standingBy(ack: number, data: number, sent: number, hasTimer: boolean, stuckAfterMs: number): number {
  if (ack === UNKNOWN || data === UNKNOWN || hasWrapped(ack, data)) return STANDING.maybe;
  if (ack >= stuckAfterMs && data >= stuckAfterMs) return STANDING.stuck;
  if (data < stuckAfterMs) return STANDING.young;
  // A peer that has sent its FIN says nothing by itself. It acknowledges what this side sends: keepalive probes, or data, and
  // then says when it has read that. Without any of it the lower bound is the age, and the upper one only tells how long the
  // connection had been idle.
  const sentAfterLastData = sent === UNKNOWN || sent < data - SAME_MOMENT_MS;
  return hasTimer || sentAfterLastData ? STANDING.maybe : STANDING.young;
}
