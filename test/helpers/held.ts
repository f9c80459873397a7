import { isIPv6 } from 'node:net';
import { type Listener, TCP_STATE, type TcpSocket } from '../../src/model/socket.ts';
import { HELD_FIELD, HELD_SIZE, type HeldFacts, type HeldField } from '../../src/parse/held-socket.ts';

const TICKS = 250;
/** A moment shortly after the 32 bits of jiffies began anew, as they do five minutes after the start of every machine. */
const JIFFIES = 1000;

export const FACTS: HeldFacts = { kind: 'typed', ticksPerSecond: TICKS, keepaliveBit: 3, lingerBit: 4, absent: [] };

/** The record that a kernel would write of a socket that a process holds. */
export function heldRecord(
  it: TcpSocket | Listener,
  { pid, fd }: { pid: number; fd: number },
  fields: Partial<Record<HeldField, number>> = {},
): Uint8Array {
  const bytes = Buffer.alloc(HELD_SIZE);
  const put = (field: HeldField, value: number): void => {
    const { offset, size } = HELD_FIELD[field];
    bytes.writeUIntLE(value >>> 0, offset, size);
  };
  put('pid', pid);
  put('fd', fd);
  put('inode', it.inode ?? 0);
  put('netns', it.netns);
  put('family', it.family === 4 ? 2 : 10);
  put('state', TCP_STATE['state' in it ? it.state : 'LISTEN']);
  put('localPort', it.local.port);
  put('uid', it.uid ?? 0);
  put('now', JIFFIES);
  bytes.set(addressOf(it.local.address, it.family), HELD_FIELD.localAddress.offset);
  if ('state' in it) {
    const ago = (milliseconds = 0): number => JIFFIES - Math.round((milliseconds * TICKS) / 1000);
    bytes.writeUInt16BE(it.peer.port, HELD_FIELD.remotePort.offset);
    bytes.set(addressOf(it.peer.address, it.family), HELD_FIELD.remoteAddress.offset);
    put('lastAckReceived', ago(it.lastAckReceivedMs));
    put('lastDataReceived', ago(it.lastDataReceivedMs));
    put('lastDataSent', ago(it.lastDataSentMs));
    // Sequence numbers go round in 32 bits too.
    put('copiedSequence', -5);
    put('receiveNext', (it.recvQueue ?? 0) - 5);
    put('sendUnacknowledged', -7);
    put('writeSequence', (it.sendQueue ?? 0) - 7);
    put('bytesAcked', it.bytesAcked ?? 0);
    put('bytesReceived', it.bytesReceived ?? 0);
    put('pendingTimer', { retransmit: 1, 'zero-window-probe': 3 }[it.timer as string] ?? 0);
    put('keepalivePending', it.timer === 'keepalive' ? 1 : 0);
    put('flags', (it.keepalive || it.timer === 'keepalive' ? 8 : 0) | (it.linger ? 16 : 0));
    put('inEpoll', it.inEpoll ? 1 : 0);
    put('awaited', it.awaited ? 1 : 0);
    put('error', it.error ?? 0);
    put('shutdown', 1);
  } else {
    put('acceptQueue', it.queue);
    put('acceptLimit', it.limit ?? 0);
  }
  for (const [field, value] of Object.entries(fields)) put(field as HeldField, value);
  return bytes;
}

function addressOf(address: string, family: 4 | 6): Uint8Array {
  const v4 = address.split('.').map(Number);
  if (family === 4) return Uint8Array.from(v4);
  if (!isIPv6(address)) return Uint8Array.from([...new Array<number>(10).fill(0), 0xff, 0xff, ...v4]);
  const [head = '', tail] = address.split('::');
  const groups = (text: string): string[] => text.split(':').filter(Boolean);
  const gap = tail === undefined ? [] : new Array<string>(8 - groups(head).length - groups(tail).length).fill('0');
  const words = [...groups(head), ...gap, ...groups(tail ?? '')];
  return Uint8Array.from(words.flatMap((word) => [Number.parseInt(word, 16) >> 8, Number.parseInt(word, 16) & 255]));
}
