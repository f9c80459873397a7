import { type SocketTable, UNKNOWN } from '../model/socket-table.ts';

/** On a connection that this side opened, the SYN counts one among the bytes that the peer has acknowledged. */
const SYN = 1;

/** A number of a column, 0 where it is not known. */
export const orNone = (value: number = UNKNOWN): number => (value === UNKNOWN ? 0 : value);

/** Whether something was sent, where the kernel counts what was acknowledged. */
export const isAnswered = ({ bytesAcked, sendQueue }: SocketTable, row: number): boolean =>
  (bytesAcked[row] ?? 0) + orNone(sendQueue[row]) > SYN;
