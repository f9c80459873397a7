import { once } from 'node:events';
import { connect, isIPv6, Socket } from 'node:net';
import type { Endpoint } from '../../model/socket.ts';

/** Makes a new connection to the inspector of one process. */
export type Dial = () => Promise<Socket>;

/** A network namespace, and ours. */
type Netns = { id: number; own: number };

const CONNECT_MS = 2000;

/** A way to where a process listens. In a network namespace of its own the socket is made there, and used from here. */
export function dialer({ address, port }: Endpoint, netns: Netns, pid: number): Dial {
  const isV6 = isIPv6(address);
  return async () => {
    if (netns.id === netns.own) {
      const host = LOOPBACK.get(address) ?? address;
      const socket = connect({ host, port });
      try {
        await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_MS) });
      } catch (error) {
        socket.destroy();
        throw error;
      }
      return socket;
    }
    const { connectIn } = await import('../../kernel/fast.ts');
    const loopback = isV6 ? Uint8Array.from([...Array(15).fill(0), 1]) : Uint8Array.of(127, 0, 0, 1);
    const bytes = isV6 || LOOPBACK.has(address) ? loopback : Uint8Array.from(address.split('.'), Number);
    return new Socket({ fd: connectIn(netns.id, pid, bytes, port), readable: true, writable: true });
  };
}

/** An inspector that listens on all addresses is asked on loopback. */
const LOOPBACK = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);
