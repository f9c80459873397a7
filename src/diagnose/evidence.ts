import type { Case, Cause, Evidence } from '../model/finding.ts';
import { endOfRun } from '../model/runs.ts';
import { keepaliveOf } from '../model/socket.ts';
import { SocketRows, type SocketTable, UNKNOWN } from '../model/socket-table.ts';
import { formatNumber, plural } from '../model/words.ts';
import { isAnswered, orNone } from './answers.ts';
import { TLS_GOODBYES } from './traits.ts';
import { waitEvidence, waitsTogether } from './waits.ts';

/**
 * What Recv-Q says of a CLOSE_WAIT socket, where the FIN counts as one byte until it is read: 0 everything was read,
 * 1 all but the end, more: data lies unread. It tells what the runtime did: Node and Go read on behalf of a handler.
 */
export function receiveQueueEvidence({ kind, sockets, direction }: Case): Evidence[] {
  if (kind === 'backlog' || sockets.length === 0) return [];
  let all = 0;
  const read = new Sizes();
  const end = new Sizes();
  const goodbye = new Sizes();
  const data = new Sizes();
  const { table, rows } = SocketRows.of(sockets);
  for (let from = 0, to = 0; from < rows.length; from = to) {
    const size = table.recvQueue[rows[from] ?? 0] ?? UNKNOWN;
    to = endOfRun(table.recvQueue, rows, from, rows.length);
    if (size === UNKNOWN) continue;
    all += to - from;
    const sizes = size === 0 ? read : size === 1 ? end : TLS_GOODBYES.has(size) ? goodbye : data;
    sizes.add(size, to - from);
  }
  const of = (count: number): string =>
    count === all
      ? all === 1
        ? 'the only one'
        : `all ${formatNumber(all)}`
      : `${formatNumber(count)} of ${formatNumber(all)}`;
  const line = (sizes: Sizes, says: string): Evidence[] =>
    sizes.count > 0 ? [{ fact: `Recv-Q ${sizes.text} on ${of(sizes.count)}`, says }] : [];
  return [
    ...line(read, 'everything was read, and the socket was not closed'),
    ...line(end, 'everything was read but the end of the connection: the program no longer reads from it'),
    ...line(
      goodbye,
      'as large as an unread TLS goodbye (close_notify) with the end: the program no longer reads from it',
    ),
    ...line(data, `data lies unread${hintOf(data, direction)}: the reader is stuck or never came`),
  ];
}

const NEARLY_ALL = 0.8;

/**
 * Whether requests were answered, where the kernel counts bytes and nearly all sockets agree. It tells a handler that is still
 * at work from one that has done its work and does not close.
 */
export function answerEvidence({ kind, sockets, direction }: Case): Evidence[] {
  if (kind !== 'held' || direction !== 'inbound' || sockets.length === 0) return [];
  const { table, rows } = SocketRows.of(sockets);
  const [asked = 0, answered = 0, unknown = 0] = countAnswers(table, rows);
  if (unknown > 0 || asked < NEARLY_ALL * sockets.length) return [];
  const of = (count: number): string => `${formatNumber(count)} of ${formatNumber(sockets.length)}`;
  if (answered >= NEARLY_ALL * asked)
    return [
      {
        fact: `something was sent back on ${of(answered)}`,
        says: 'the request was answered: only the close is missing',
      },
    ];
  if (answered <= (1 - NEARLY_ALL) * asked)
    return [
      {
        fact: `nothing was sent back on ${of(asked - answered)}`,
        says: 'no answer yet, or none is part of the protocol',
      },
    ];
  return [];
}

/** On how many something was asked, was answered, and is not known. What lies unread was not asked of anybody yet. */
function countAnswers(table: SocketTable, rows: Uint32Array): Uint32Array {
  const { bytesAcked, bytesReceived, recvQueue } = table;
  const counts = new Uint32Array(3);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? 0;
    if (bytesAcked[row] === UNKNOWN) counts[2] = (counts[2] ?? 0) + 1;
    if (orNone(bytesReceived[row]) === 0 || orNone(recvQueue[row]) > 1) continue;
    counts[0] = (counts[0] ?? 0) + 1;
    if (isAnswered(table, row)) counts[1] = (counts[1] ?? 0) + 1;
  }
  return counts;
}

/** How many there are, and between which sizes. */
class Sizes {
  count = 0;
  least = Number.POSITIVE_INFINITY;
  most = 0;

  add(size: number, count: number): void {
    this.count += count;
    this.least = Math.min(this.least, size);
    this.most = Math.max(this.most, size);
  }

  get text(): string {
    const { least, most } = this;
    return least === most ? formatNumber(least) : `${formatNumber(least)} to ${formatNumber(most)}`;
  }
}

/** A ClientHello padded to 517 bytes, as most clients send it, and the FIN. */
const CLIENT_HELLO = 518;
/** A request with a few headers has between these. */
const REQUEST = { least: 100, most: 600 };

/** What has such a size mostly. Other data can have it too. */
function hintOf({ least, most }: Sizes, direction: Case['direction']): string {
  if (direction !== 'inbound') return '';
  if (least === CLIENT_HELLO && most === CLIENT_HELLO) return ', as much as a TLS ClientHello';
  return least >= REQUEST.least && most <= REQUEST.most ? ', as much as one HTTP request' : '';
}

export function holderEvidence({ kind, coHolders, process }: Case, cause: Cause): Evidence[] {
  const [first] = coHolders;
  if (!first || !process || cause === 'inherited-fd') return [];
  const others = coHolders.slice(0, 3).map((it) => `${it.process.name} ${it.process.pid}`);
  const more = coHolders.length > 3 ? ` and ${coHolders.length - 3} more` : '';
  if (kind === 'backlog') {
    return [{ fact: `the listener is also open in ${others.join(', ')}${more}`, says: 'each of them could accept' }];
  }
  return [
    {
      fact: `also open in ${others.join(', ')}${more} (${plural(first.sockets, 'socket')})`,
      says: 'a connection ends only when every process has closed it',
    },
  ];
}

/** What the threads do that should read, close or accept, where no rule has told what matters of it. */
export function threadEvidence(subject: Case, cause: Cause): Evidence[] {
  const { kind, process, waits } = subject;
  if (!process || (cause !== 'unknown' && kind === 'held')) return [];
  if (kind !== 'backlog') return waits ? waitEvidence(waits, process.name) : [];
  const together = waitsTogether(subject);
  if (!together) return [];
  const { processes } = together;
  return waitEvidence(together, processes > 1 ? `${process.name} (${processes} processes)` : process.name);
}

export function ageEvidence({ maybeStuck, sockets }: Case): Evidence[] {
  if (maybeStuck === 0) return [];
  const anyTime = sockets.some(({ lastAckReceivedMs }) => lastAckReceivedMs !== undefined);
  const keepalive = sockets.filter((socket) => keepaliveOf(socket) === true).length;
  return [
    {
      fact: `the age of ${plural(maybeStuck, 'socket')} is not known${anyTime ? ' exactly' : ''}`,
      says:
        keepalive > 0
          ? 'the peer answers keepalive probes, which hides since when: look again in a minute'
          : 'they may be young: look again in a minute',
    },
  ];
}
