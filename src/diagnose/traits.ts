import type { Interest, Reception, Traits } from '../model/finding.ts';
import type { EpollSets, Process } from '../model/process.ts';
import { COLUMN, MARK, SocketRows, type Sockets, type SocketTable, TIMER, UNKNOWN } from '../model/socket-table.ts';

/**
 * Recv-Q of an unread TLS goodbye (the alert close_notify) with the FIN: AES-CBC in TLS 1.2 54, AES-GCM 32,
 * ChaCha20-Poly1305 24, TLS 1.3 25. Other data can have these sizes too, so they are a hint.
 */
export const TLS_GOODBYES: ReadonlySet<number> = new Set([24, 25, 32, 54]);

/** Undefined in a capture that does not tell Recv-Q. */
const receptionAt = (table: SocketTable, row: number): Reception | undefined =>
  receptionBy(table.cell(row, COLUMN.recvQueue));

function receptionBy(recvQueue: number): Reception | undefined {
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
  const inode = table.cell(row, COLUMN.inode);
  const found = epoll && epoll.sets.length > 0 ? askedIn(epoll, inode) : undefined;
  if (found) return found;
  const marks = table.cell(row, COLUMN.marks);
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

/**
 * Data that the peer has acknowledged, sent long after the last came from it. The FIN may in truth have come after that,
 * so this is a sign, and no proof.
 */
function flowAt(table: SocketTable, row: number): Traits['flow'] {
  const sendQueue = table.cell(row, COLUMN.sendQueue);
  const sent = table.cell(row, COLUMN.lastDataSentMs);
  const received = table.cell(row, COLUMN.lastDataReceivedMs);
  const ack = table.cell(row, COLUMN.lastAckReceivedMs);
  const probes = table.cell(row, COLUMN.timer) === TIMER['zero-window-probe'];
  if (sendQueue !== UNKNOWN && sendQueue > 0 && (probes || (sent !== UNKNOWN && sent > RECENT_MS))) return 'clogged';
  if (sent === UNKNOWN || received === UNKNOWN || ack === UNKNOWN) return 'still';
  const taken = ack <= sent + SAME_MOMENT_MS;
  return sent < RECENT_MS && sent * LATER < received && taken ? 'sending' : 'still';
}

/** Ages are read a moment before the time of the snapshot is; the start of a process is rounded down to a second. */
const YOUNGER_BY_MS = 500;

/**
 * Whether the connection was there before the process was. Each of these times counts at most from the beginning of the
 * connection; some kernels begin the one of data with their own start when none ever came, so that one alone is not trusted.
 */
function isOlderAt({ startedAt }: Process, takenAt: number, table: SocketTable, row: number): boolean {
  // A start in the future is that of a clock that was set, or of a file that a container's tools made up.
  if (startedAt === undefined || startedAt * 1000 > takenAt) return false;
  const ack = table.cell(row, COLUMN.lastAckReceivedMs);
  const data = table.cell(row, COLUMN.lastDataReceivedMs);
  const sent = table.cell(row, COLUMN.lastDataSentMs);
  const moved = sent === UNKNOWN || data === UNKNOWN ? 0 : Math.min(sent, data);
  const connectedMs = Math.max(ack === UNKNOWN ? 0 : ack, moved);
  return connectedMs > takenAt - startedAt * 1000 + YOUNGER_BY_MS;
}

/** Whether all were there before the process was. */
export function areOlderThan(process: Process, takenAt: number, sockets: Sockets): boolean {
  const { table, rows } = SocketRows.of(sockets);
  return rows.every((row) => isOlderAt(process, takenAt, table, row));
}

/** How many of them are in a state of reading. */
export function countReceptions(sockets: Sockets, is: (reception: Reception | undefined) => boolean): number {
  const { table, rows } = SocketRows.of(sockets);
  return rows.reduce((count, row) => count + Number(is(receptionAt(table, row))), 0);
}

// Sockets that are judged alike share their traits: of 100,000 there are a dozen kinds.
const RECEPTIONS: readonly (Reception | undefined)[] = ['read', 'end', 'unread', undefined];
const INTERESTS: readonly (Interest | undefined)[] = [undefined, 'none', 'off', 'spent', 'level', 'edge', 'some'];
const FLOWS: readonly Traits['flow'][] = ['still', 'sending', 'clogged'];
const known: (Traits | undefined)[] = [];

let last: Traits | undefined;

export function traitsAt(process: Process, takenAt: number, table: SocketTable, row: number): Traits {
  const reception = receptionAt(table, row);
  const interest = interestAt(process, table, row);
  const flow = flowAt(table, row);
  const olderThanHolder = isOlderAt(process, takenAt, table, row);
  // One after the other they are mostly alike.
  if (
    last?.reception === reception &&
    last?.interest === interest &&
    last?.flow === flow &&
    last?.olderThanHolder === olderThanHolder
  )
    return last;
  const number =
    ((INTERESTS.indexOf(interest) * RECEPTIONS.length + RECEPTIONS.indexOf(reception)) * 3 + FLOWS.indexOf(flow)) * 2 +
    Number(olderThanHolder);
  last = known[number] ?? { ...(reception && { reception }), ...(interest && { interest }), flow, olderThanHolder };
  known[number] = last;
  return last;
}
