import type { Case, Cause, Evidence } from '../model/finding.ts';
import { keepaliveOf } from '../model/socket.ts';
import { formatNumber, plural } from '../model/words.ts';
import { waitEvidence, waitsTogether } from './waits.ts';

/**
 * What Recv-Q says of a CLOSE_WAIT socket, where the FIN counts as one byte until it is read: 0 everything was read,
 * 1 all but the end, more: data lies unread. It tells what the runtime did: Node and Go read on behalf of a handler.
 */
export function receiveQueueEvidence({ kind, sockets }: Case): Evidence[] {
  if (kind === 'backlog' || sockets.length === 0) return [];
  const all = sockets.length;
  let read = 0;
  let endLeft = 0;
  let [least, most] = [Number.POSITIVE_INFINITY, 0];
  for (const { recvQueue } of sockets) {
    if (recvQueue === 0) read++;
    else if (recvQueue === 1) endLeft++;
    else [least, most] = [Math.min(least, recvQueue), Math.max(most, recvQueue)];
  }
  const dataLeft = all - read - endLeft;
  const of = (count: number): string =>
    count === all
      ? all === 1
        ? 'the only one'
        : `all ${formatNumber(all)}`
      : `${formatNumber(count)} of ${formatNumber(all)}`;
  return [
    { count: read, fact: `Recv-Q 0 on ${of(read)}`, says: 'everything was read, and the socket was not closed' },
    {
      count: endLeft,
      fact: `Recv-Q 1 on ${of(endLeft)}`,
      says: 'everything was read but the end of the connection: the program no longer reads from it',
    },
    {
      count: dataLeft,
      fact: `Recv-Q ${least === most ? formatNumber(least) : `${formatNumber(least)} to ${formatNumber(most)}`} on ${of(dataLeft)}`,
      says: 'data lies unread: the reader is stuck or never came',
    },
  ].flatMap(({ count, fact, says }) => (count > 0 ? [{ fact, says }] : []));
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
  const keepalive = sockets.filter((socket) => keepaliveOf(socket) === true).length;
  return [
    {
      fact: `the age of ${plural(maybeStuck, 'socket')} is not known exactly`,
      says:
        keepalive > 0
          ? 'the peer answers keepalive probes, which hides since when: look again in a minute'
          : 'they may be young: look again in a minute',
    },
  ];
}
