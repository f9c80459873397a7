import type { Case, Connection } from '../model/finding.ts';
import type { TcpSocket } from '../model/socket.ts';
import { awaitsAnswer } from './waits.ts';

/** Who serves a request asks others soon after it came; a consumer that waits for news asked whenever it began to wait. */
const SOON_MS = 2000;
const SAME_MOMENT_MS = 100;

/** Outbound connections of the process on which this side spoke last. */
export const askedConnections = ({ siblings = [] }: Case): TcpSocket[] =>
  siblings.flatMap(({ socket, inbound }) => (!inbound && awaitsAnswer(socket, 0) ? socket : []));

/** How many of them were asked soon after a request had come in to the same process. */
export function askedForRequests(asked: readonly TcpSocket[], { besides = [], siblings = [] }: Case): number {
  const requests = [...besides, ...siblings.flatMap(onlyInbound)];
  const came = Float64Array.from(requests, ({ lastDataReceivedMs = 0 }) => lastDataReceivedMs).sort();
  return asked.filter(({ lastDataSentMs = 0 }) => {
    const earliest = came[firstAtLeast(came, lastDataSentMs - SAME_MOMENT_MS)];
    return earliest !== undefined && earliest <= lastDataSentMs + SOON_MS;
  }).length;
}

const onlyInbound = ({ socket, inbound }: Connection): TcpSocket[] => (inbound ? [socket] : []);

function firstAtLeast(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
