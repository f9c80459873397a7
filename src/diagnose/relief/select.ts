import type { Finding } from '../../model/finding.ts';
import type { Selection } from '../../model/relief.ts';
import type { TcpSocket } from '../../model/socket.ts';
import { standingOf } from '../ages.ts';

/**
 * The sockets of a finding that may be ended: older than the limit for sure, with nothing sent on them since, held by the
 * one process and by no other.
 * Each is looked at again before anything is done to it.
 */
export function selectSockets({ subject }: Finding, olderThanMs: number): Selection {
  const { process, sockets, coHolders } = subject;
  const selection: Selection = { sockets: [], leftOut: { young: 0, unsure: 0, used: 0, shared: 0 } };
  const { leftOut } = selection;
  for (const socket of sockets) {
    const [fd] = (socket.inode === undefined ? undefined : process?.sockets?.get(socket.inode)) ?? [];
    const standing = standingOf(socket, olderThanMs);
    if (socket.state !== 'CLOSE_WAIT' || fd === undefined) continue;
    if (standing === 'young') leftOut.young++;
    else if (standing === 'maybe') leftOut.unsure++;
    else if (isSentOn(socket, olderThanMs)) leftOut.used++;
    else if (coHolders.some((it) => socket.inode !== undefined && it.process.sockets?.has(socket.inode)))
      leftOut.shared++;
    else selection.sockets.push({ socket, fd });
  }
  return selection;
}

/** Data that goes out long after the peer's FIN goes to somebody who still reads: a half-close, which is legal. */
export const isSentOn = ({ lastDataSentMs }: Pick<TcpSocket, 'lastDataSentMs'>, olderThanMs: number): boolean =>
  lastDataSentMs !== undefined && lastDataSentMs < olderThanMs;
