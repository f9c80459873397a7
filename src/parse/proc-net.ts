import { ParseError } from '../model/errors.ts';
import { type TcpState, type TcpTimer, tcpStateName } from '../model/socket.ts';
import { formatIpv4, formatIpv6 } from './address.ts';
import { integer, parseRows, type Rows } from './rows.ts';

/** One row of /proc/PID/net/tcp or tcp6. For a listener the queues are the accept queue's length and its limit. */
export type ProcNetTcpRow = {
  local: { address: string; port: number };
  peer: { address: string; port: number };
  state: TcpState;
  sendQueue: number;
  recvQueue: number;
  timer: TcpTimer;
  uid: number;
  /** 0 when no file belongs to the socket. */
  inode: number;
};

// The column `tr` (net/ipv4/tcp_ipv4.c: get_tcp4_sock).
const TIMERS: readonly TcpTimer[] = ['none', 'retransmit', 'keepalive', 'timewait', 'zero-window-probe'];

/**
 * Columns in Documentation/networking/proc_net_tcp.rst. The file is the table of the namespace of that process;
 * /proc/net is only our own.
 */
export const parseProcNetTcp = (text: string, path: string): Rows<ProcNetTcpRow> =>
  parseRows(text, path, 1, parseProcNetTcpRow);

export function parseProcNetTcpRow(line: string, where: string): ProcNetTcpRow {
  const [, local, remote, st, queues, timers, , uid, , inode] = line.trim().split(/\s+/);
  const [tx, rx] = queues?.split(':') ?? [];
  const [tr] = timers?.split(':') ?? [];
  if (!local || !remote || !st || !tx || !rx || !tr || !uid || !inode) {
    throw new ParseError(where, `too few columns in "${line}"`);
  }
  const state = tcpStateName(integer(st, 16, where));
  if (state === undefined) throw new ParseError(where, `state ${st} is not known in "${line}"`);
  return {
    local: parseEndpoint(local, where),
    peer: parseEndpoint(remote, where),
    state,
    sendQueue: integer(tx, 16, where),
    recvQueue: integer(rx, 16, where),
    timer: TIMERS[integer(tr, 16, where)] ?? 'none',
    uid: integer(uid, 10, where),
    inode: integer(inode, 10, where),
  };
}

// The address is printed as 32-bit words in host order: on a little-endian machine each group of 8 digits is reversed.
function parseEndpoint(text: string, where: string): { address: string; port: number } {
  const match = /^([0-9A-Fa-f]{8}|[0-9A-Fa-f]{32}):([0-9A-Fa-f]{4})$/.exec(text);
  if (!match) throw new ParseError(where, `"${text}" is no address`);
  const [, hex = '', port = ''] = match;
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const reversed = (i & ~3) + 3 - (i & 3);
    bytes[i] = Number.parseInt(hex.slice(reversed * 2, reversed * 2 + 2), 16);
  }
  const address = bytes.length === 4 ? formatIpv4(bytes) : formatIpv6(bytes);
  return { address, port: Number.parseInt(port, 16) };
}
