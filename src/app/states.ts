import { TCP_STATE } from '../model/socket.ts';
import { stateMask } from '../parse/inet-diag.ts';

const STUCK = stateMask('LISTEN', 'CLOSE_WAIT');
const CLOSED = stateMask('CLOSE');
/** All states in which a descriptor can hold a socket. */
const CONNECTED = Object.values(TCP_STATE).reduce((mask, number) => mask | (1 << number), 0) & ~CLOSED;

/**
 * Sockets in other states give the total that stuck ones are compared with, and the other ends on this machine. Reading
 * them costs 2 microseconds each, so where there are more than this the report does without.
 */
export const MOST_OTHERS = 20_000;

/** Which sockets a pass over all descriptors shall find. */
export const statesToFind = (withOthers: boolean, closedButHeld: 'auto' | 'always' | 'never' = 'auto'): number =>
  (withOthers ? CONNECTED : STUCK) | (closedButHeld === 'never' ? 0 : CLOSED);
