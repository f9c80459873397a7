import type { Interest, Reception, Traits } from '../model/finding.ts';
import type { EpollSets, Process } from '../model/process.ts';
import { MARK, SocketRows, type Sockets, type SocketTable, TIMER, UNKNOWN } from '../model/socket-table.ts';

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
function flowAt(table: SocketTable, row: number): number {
  const sendQueue = table.sendQueue[row] ?? UNKNOWN;
  const sent = table.lastDataSentMs[row] ?? UNKNOWN;
  const received = table.lastDataReceivedMs[row] ?? UNKNOWN;
  const ack = table.lastAckReceivedMs[row] ?? UNKNOWN;
  const probes = table.timer[row] === TIMER['zero-window-probe'];
  if (sendQueue !== UNKNOWN && sendQueue > 0 && (probes || (sent !== UNKNOWN && sent > RECENT_MS))) return CLOGGED;
  if (sent === UNKNOWN || received === UNKNOWN || ack === UNKNOWN) return STILL;
  return sent < RECENT_MS && sent * LATER < received && ack <= sent + SAME_MOMENT_MS ? SENDING : STILL;
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
function connectedAt(table: SocketTable, row: number): number {
  const ack = table.lastAckReceivedMs[row] ?? UNKNOWN;
  const data = table.lastDataReceivedMs[row] ?? UNKNOWN;
  const sent = table.lastDataSentMs[row] ?? UNKNOWN;
  const moved = sent === UNKNOWN || data === UNKNOWN ? 0 : Math.min(sent, data);
  return ack !== UNKNOWN && ack > moved ? ack : moved;
}

/** Whether all were there before the process was. */
export function areOlderThan(process: Process, takenAt: number, sockets: Sockets): boolean {
  const { table, rows } = SocketRows.of(sockets);
  const oldestMs = longestConnectedMs(process, takenAt);
  return rows.every((row) => connectedAt(table, row) > oldestMs);
}

/** How many of them are in a state of reading. */
export function countReceptions(sockets: Sockets, is: (reception: Reception | undefined) => boolean): number {
  const { table, rows } = SocketRows.of(sockets);
  return rows.reduce((count, row) => count + Number(is(receptionAt(table, row))), 0);
}

const RECEPTIONS: readonly (Reception | undefined)[] = ['read', 'end', 'unread', undefined];
const INTERESTS: readonly (Interest | undefined)[] = [undefined, 'none', 'off', 'spent', 'level', 'edge', 'some'];
const FLOWS: readonly Traits['flow'][] = ['still', 'sending', 'clogged'];

/** More than any number of traits. */
export const MOST_TRAITS = INTERESTS.length * RECEPTIONS.length * FLOWS.length * 2;

/**
 * The traits of some rows as numbers: of 100,000 sockets there are a dozen kinds. One after the other they are mostly alike, so
 * what is told by a queue or by marks is only looked at where those differ.
 */
export function traitNumbers(process: Process, takenAt: number, table: SocketTable, rows: Uint32Array): Uint8Array {
  const { recvQueue, marks } = table;
  const oldestMs = longestConnectedMs(process, takenAt);
  const byMarks = !process.epoll || process.epoll.sets.length === 0;
  const numbers = new Uint8Array(rows.length);
  let before = -1;
  let reception = 0;
  let interest = 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? 0;
    if (before < 0 || recvQueue[row] !== recvQueue[before]) reception = RECEPTIONS.indexOf(receptionAt(table, row));
    if (before < 0 || !byMarks || marks[row] !== marks[before])
      interest = INTERESTS.indexOf(interestAt(process, table, row));
    before = row;
    const older = connectedAt(table, row) > oldestMs ? 1 : 0;
    numbers[i] = ((interest * RECEPTIONS.length + reception) * FLOWS.length + flowAt(table, row)) * 2 + older;
  }
  return numbers;
}

export function traitsOf(number: number): Traits {
  const flow = FLOWS[(number >> 1) % FLOWS.length] ?? 'still';
  const read = Math.floor((number >> 1) / FLOWS.length);
  const reception = RECEPTIONS[read % RECEPTIONS.length];
  const interest = INTERESTS[Math.floor(read / RECEPTIONS.length)];
  return { ...(reception && { reception }), ...(interest && { interest }), flow, olderThanHolder: (number & 1) === 1 };
}
