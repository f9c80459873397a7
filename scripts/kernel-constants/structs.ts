import { StructReader } from '../../src/parse/bytes.ts';
import { DiagDecoder, encodeDiagRequest, stateMask } from '../../src/parse/inet-diag.ts';
import { encodeNetlinkMessage } from '../../src/parse/netlink.ts';
import type { Row } from './numbers.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** What we encode must be the bytes of the C struct; what we decode from them must be the values that C put in. */
export function compareStructs(structs: Record<string, string>): Row[] {
  const states = stateMask('CLOSE_WAIT');
  const encoded: [string, Uint8Array][] = [
    ['nlmsghdr', encodeNetlinkMessage(0x1122, 0x3344, 0x55667788, new Uint8Array(3)).subarray(0, 16)],
    ['inet_diag_req_v2', encodeDiagRequest({ states, family: 6, tcpInfo: true }).payload],
    ['inet_diag_req', encodeDiagRequest({ states, tcpInfo: true }).payload],
  ];
  return [
    ...encoded.map(([name, bytes]) => ({
      what: `struct ${name}, encoded`,
      where: `${bytes.length} bytes`,
      ours: hex(bytes),
      theirs: structs[name] ?? 'not measured',
    })),
    ...decodedFields(structs.inet_diag_msg ?? ''),
  ];
}

function decodedFields(text: string): Row[] {
  const bytes = Buffer.from(text, 'hex');
  const decoded = new DiagDecoder(7).decode(new StructReader('inet_diag_msg', bytes), 0, bytes.length);
  const expected = {
    netns: 7,
    family: 4,
    state: 'CLOSE_WAIT',
    local: { address: '10.0.0.1', port: 8000 },
    peer: { address: '10.0.0.5', port: 40_000 },
    recvQueue: 1002,
    sendQueue: 1003,
    timer: 'keepalive',
    timerMs: 1001,
    uid: 1004,
    inode: 1005,
    cookie: 0x2222_2222_1111_1111n,
    cgroupId: 4242n,
    lastDataSentMs: 2001,
    lastDataReceivedMs: 2004,
    lastAckReceivedMs: 2003,
  };
  const say = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value));
  return Object.entries(expected).map(([name, value]) => ({
    what: `struct inet_diag_msg, ${name}`,
    where: 'src/parse/inet-diag.ts',
    ours: say((decoded as Record<string, unknown>)[name]),
    theirs: say(value),
  }));
}
