import type { Interest, Reception, Traits } from '../model/finding.ts';
import type { EpollSets, Process } from '../model/process.ts';
import { endOfRun } from '../model/runs.ts';
import { MARK, SocketRows, type Sockets, type SocketTable, TIMER, UNKNOWN } from '../model/socket-table.ts';
import { STANDING, standingAt, standingBy } from './ages.ts';

/**
 * Recv-Q of an unread TLS goodbye (the alert close_notify) with the FIN: AES-CBC in TLS 1.2 54, AES-GCM 32,
 * ChaCha20-Poly1305 24, TLS 1.3 25. Other data can have these sizes too, so they are a hint.
 */
export const TLS_GOODBYES: ReadonlySet<number> = new Set([24, 25, 32, 54]);

/** Undefined in a capture that does not tell Recv-Q. */
const receptionAt = (table: SocketTable, row: number): Reception | undefined => receptionBy(table.recvQueue[row]);

function receptionBy(recvQueue = UNKNOWN): Reception | undefined {
  if (recvQueue === UNKNOWN) return undefined;
  return recvQueue === 0 ? 'read' : recvQueue === 1 || TLS_GOODBYES.has(recvQueue) ? 'end' : 'unread';
}

// include/uapi/linux/eventpoll.h
const EPOLLIN = 0x1;
const EPOLLRDNORM = 0x40;
const EPOLLRDHUP = 0x2000;
const EPOLLONESHOT = 0x40000000;
const EPOLLET = 0x80000000;
/** Each of them is reported of a socket in CLOSE_WAIT, whatever lies unread (tcp_poll in net/ipv4/tcp.c). */
const READ_EVENTS = EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;

function interestIn(events: number): Interest {
  if ((events & READ_EVENTS) !== 0) return (events & EPOLLET) !== 0 ? 'edge' : 'level';
  // When an event was told, the kernel clears all others until epoll_ctl(2) sets them anew.
  return (events & EPOLLONESHOT) !== 0 ? 'spent' : 'off';
}

/** What matters most when a socket is in several sets. */
const STRONGEST: readonly Interest[] = ['level', 'edge', 'spent', 'off'];

function interestAt({ epoll }: Process, table: SocketTable, row: number): Interest | undefined {
  const found = epoll && epoll.sets.length > 0 ? askedIn(epoll, table.inode[row] ?? 0) : undefined;
  if (found) return found;
  const marks = table.marks[row] ?? 0;
  // A set of another process may know it too.
  if ((marks & (MARK.inEpoll | MARK.awaited)) !== 0) return 'some';
  return epoll?.complete || (marks & NOBODY) === NOBODY ? 'none' : undefined;
}

function askedIn({ sets }: EpollSets, inode: number): Interest | undefined {
  let strongest = STRONGEST.length;
  for (const { sockets } of sets) {
    const events = sockets.get(inode);
    if (events !== undefined) strongest = Math.min(strongest, STRONGEST.indexOf(interestIn(events)));
  }
  return STRONGEST[strongest];
}

const NOBODY = MARK.notInEpoll | MARK.notAwaited;

/** A program that sends at all sends this often: heartbeats of push connections are mostly 15 to 30 s apart. */
const RECENT_MS = 30_000;
/** A response is sent soon after its request. What is sent so much later than anything came is no response to it. */
const LATER = 4;
const SAME_MOMENT_MS = 100;

/** Numbers of flows. */
const [STILL, SENDING, CLOGGED] = [0, 1, 2];

/**
 * Data that the peer has acknowledged, sent long after the last came from it. The FIN may in truth have come after that,
 * so this is a sign, and no proof.
 */
function flowBy(sendQueue: number, sent: number, received: number, ack: number, timer: number): number {
  const unsent = sendQueue !== UNKNOWN && sendQueue > 0;
  if (unsent && (timer === TIMER['zero-window-probe'] || (sent !== UNKNOWN && sent > RECENT_MS))) return CLOGGED;
  if (sent >= RECENT_MS || received === UNKNOWN || ack === UNKNOWN) return STILL;
  return sent * LATER < received && ack <= sent + SAME_MOMENT_MS ? SENDING : STILL;
}

/** Ages are read a moment before the time of the snapshot is; the start of a process is rounded down to a second. */
const YOUNGER_BY_MS = 500;

/** A connection that was there for longer than this was there before the process was. */
function longestConnectedMs({ startedAt }: Process, takenAt: number): number {
  // A start in the future is that of a clock that was set, or of a file that a container's tools made up.
  if (startedAt === undefined || startedAt * 1000 > takenAt) return Number.POSITIVE_INFINITY;
  return takenAt - startedAt * 1000 + YOUNGER_BY_MS;
}

/**
 * How long a connection was there at least. Each of these times counts at most from its beginning; some kernels begin the
 * one of data with their own start when none ever came, so that one alone is not trusted.
 */
function connectedFor(ack: number, data: number, sent: number): number {
  const moved = sent === UNKNOWN || data === UNKNOWN ? 0 : Math.min(sent, data);
  return ack !== UNKNOWN && ack > moved ? ack : moved;
}

/** Whether all were there before the process was. */
export function areOlderThan(process: Process, takenAt: number, sockets: Sockets): boolean {
  const { table, rows } = SocketRows.of(sockets);
  const oldestMs = longestConnectedMs(process, takenAt);
  const { lastAckReceivedMs: ack, lastDataReceivedMs: data, lastDataSentMs: sent } = table;
  return rows.every((row) => connectedFor(ack[row] ?? UNKNOWN, data[row] ?? UNKNOWN, sent[row] ?? UNKNOWN) > oldestMs);
}

/** On how many data lies unread. */
export function countUnread(sockets: Sockets): number {
  const { table, rows } = SocketRows.of(sockets);
  let unread = 0;
  for (let from = 0, to = 0; from < rows.length; from = to) {
    to = endOfRun(table.recvQueue, rows, from, rows.length);
    if (receptionAt(table, rows[from] ?? 0) === 'unread') unread += to - from;
  }
  return unread;
}

const RECEPTIONS: readonly (Reception | undefined)[] = ['read', 'end', 'unread', undefined];
const INTERESTS: readonly (Interest | undefined)[] = [undefined, 'none', 'off', 'spent', 'level', 'edge', 'some'];
const FLOWS: readonly Traits['flow'][] = ['still', 'sending', 'clogged'];
const BEFORE_RECEPTION = 2 * FLOWS.length;
const BEFORE_INTEREST = BEFORE_RECEPTION * RECEPTIONS.length;

/** More than any number of traits. */
const MOST_TRAITS = BEFORE_INTEREST * INTERESTS.length;
/** More than any number of what is judged alike. */
export const MOST_JUDGED = MOST_TRAITS * 2;

/**
 * How some rows stand and what their traits are, both in one number: of 100,000 sockets there are a dozen kinds. One loop for
 * all of it, since what is looked at lies in the same few places.
 */
export function kindsOf(
  process: Process,
  { takenAt, stuckAfterMs }: { takenAt: number; stuckAfterMs: number },
  table: SocketTable,
  rows: Uint32Array,
): Uint32Array {
  const kinds = new Uint32Array(rows.length);
  // What a set was asked is told of each socket by itself.
  const byMarks = !process.epoll || process.epoll.sets.length === 0;
  for (let from = 0, to = 0; from < rows.length; from = to) {
    to = endOfRun(table.recvQueue, rows, from, rows.length);
    const reception = RECEPTIONS.indexOf(receptionAt(table, rows[from] ?? 0));
    for (let first = from, next = 0; first < to; first = next) {
      next = byMarks ? endOfRun(table.marks, rows, first, to) : first + 1;
      const interest = INTERESTS.indexOf(interestAt(process, table, rows[first] ?? 0));
      kinds.fill(reception * BEFORE_RECEPTION + interest * BEFORE_INTEREST, first, next);
    }
  }
  addTimes(table, rows, { stuckAfterMs, oldestMs: longestConnectedMs(process, takenAt) }, kinds);
  if (table.hasHistory) writeStandings(table, rows, stuckAfterMs, kinds);
  return kinds;
}

export const standingOfKind = (kind: number): number => Math.floor(kind / MOST_TRAITS);

/** Adds the part of a kind that the times tell: its standing, its flow, and whether it is older than its holder. */
function addTimes(
  table: SocketTable,
  rows: Uint32Array,
  { stuckAfterMs, oldestMs }: { stuckAfterMs: number; oldestMs: number },
  kinds: Uint32Array,
): void {
  const { lastAckReceivedMs, lastDataReceivedMs, lastDataSentMs, sendQueue, timer } = table;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? 0;
    const ack = lastAckReceivedMs[row] ?? UNKNOWN;
    const data = lastDataReceivedMs[row] ?? UNKNOWN;
    const sent = lastDataSentMs[row] ?? UNKNOWN;
    const pending = timer[row] ?? UNKNOWN;
    const standing = standingBy(ack, data, sent, pending !== TIMER.none, stuckAfterMs);
    const flow = flowBy(sendQueue[row] ?? UNKNOWN, sent, data, ack, pending);
    const older = connectedFor(ack, data, sent) > oldestMs ? 1 : 0;
    kinds[i] = (kinds[i] ?? 0) + standing * MOST_TRAITS + flow * 2 + older;
  }
}

/** Where earlier looks tell more of how long they have been there. */
function writeStandings(table: SocketTable, rows: Uint32Array, stuckAfterMs: number, kinds: Uint32Array): void {
  for (let i = 0; i < rows.length; i++)
    kinds[i] = STANDING[standingAt(table, rows[i] ?? 0, stuckAfterMs)] * MOST_TRAITS + ((kinds[i] ?? 0) % MOST_TRAITS);
}

/** What is judged alike has one number. A flow says all by itself, whatever else is true of a socket. */
export function judgedAs(kind: number, hasLeg: boolean): number {
  const traits = kind % MOST_TRAITS;
  const flow = (traits >> 1) % FLOWS.length;
  return flow === STILL ? traits + (hasLeg ? MOST_TRAITS : 0) : flow * 2;
}

/** Of a kind. */
export function traitsOf(number: number): Traits {
  const flow = FLOWS[(number >> 1) % FLOWS.length] ?? 'still';
  const reception = RECEPTIONS[Math.floor(number / BEFORE_RECEPTION) % RECEPTIONS.length];
  const interest = INTERESTS[Math.floor(number / BEFORE_INTEREST) % INTERESTS.length];
  return { ...(reception && { reception }), ...(interest && { interest }), flow, olderThanHolder: (number & 1) === 1 };
}
