import { ParseError } from '../model/errors.ts';
import { type Listener, TCP_STATE, type TcpSocket, type TcpTimer, tcpStateName } from '../model/socket.ts';
import { AddressCache } from './address.ts';
import type { StructReader } from './bytes.ts';
import { walkAttributes } from './netlink.ts';
import { readTcpInfoTimes } from './tcp-info.ts';

// include/uapi/linux/inet_diag.h and sock_diag.h
export const TCPDIAG_GETSOCK = 18;
export const SOCK_DIAG_BY_FAMILY = 20;
const INET_DIAG_INFO = 2;
const INET_DIAG_CGROUP_ID = 21;

// include/linux/socket.h
export const AF_INET = 2;
export const AF_INET6 = 10;
const IPPROTO_TCP = 6;

/** Which sockets a dump shall give. `family` absent asks for IPv4 and IPv6 in one walk. */
export type DiagRequest = { states: number; family?: 4 | 6; tcpInfo: boolean };

export const stateMask = (...states: (keyof typeof TCP_STATE)[]): number =>
  states.reduce((mask, state) => mask | (1 << TCP_STATE[state]), 0);

/**
 * One family is asked for with struct inet_diag_req_v2. Both at once go only through the older struct inet_diag_req
 * (message type TCPDIAG_GETSOCK), which has no family filter: the walk over the kernel's table is the dear part of a
 * dump (5 ms per namespace with 262,144 buckets), and this halves it.
 */
export function encodeDiagRequest(request: DiagRequest): { type: number; payload: Uint8Array } {
  const ext = request.tcpInfo ? 1 << (INET_DIAG_INFO - 1) : 0;
  if (request.family === undefined) {
    const payload = new Uint8Array(60);
    const view = new DataView(payload.buffer);
    view.setUint8(0, AF_INET); // idiag_family, not looked at
    view.setUint8(3, ext);
    view.setUint32(52, request.states, true); // idiag_states, behind struct inet_diag_sockid (48 bytes) at 4
    return { type: TCPDIAG_GETSOCK, payload };
  }
  const payload = new Uint8Array(56);
  const view = new DataView(payload.buffer);
  view.setUint8(0, request.family === 4 ? AF_INET : AF_INET6); // sdiag_family
  view.setUint8(1, IPPROTO_TCP); // sdiag_protocol
  view.setUint8(2, ext); // idiag_ext
  view.setUint32(4, request.states, true); // idiag_states
  return { type: SOCK_DIAG_BY_FAMILY, payload };
}

// idiag_timer, set in net/ipv4/inet_diag.c: inet_sk_diag_fill
const TIMERS: readonly TcpTimer[] = ['none', 'retransmit', 'keepalive', 'timewait', 'zero-window-probe'];

/** Turns the messages of one namespace's dump into sockets and listeners. */
export class DiagDecoder {
  readonly #netns: number;
  readonly #addresses = new AddressCache();

  constructor(netns: number) {
    this.#netns = netns;
  }

  /** Decodes the message between `start` and `end`: struct inet_diag_msg with its attributes. */
  decode(reader: StructReader, start: number, end: number): TcpSocket | Listener {
    // struct inet_diag_msg in its own order. Ports and addresses are big-endian, the rest host order.
    reader.at(start, end);
    const family = reader.u8();
    const state = reader.u8();
    const timer = reader.u8();
    reader.skip(1); // idiag_retrans
    const sport = reader.u16be();
    const dport = reader.u16be();
    const src = reader.position;
    reader.skip(16);
    const dst = reader.position;
    reader.skip(16);
    reader.skip(4); // idiag_if
    const cookie = reader.u64(); // idiag_cookie[2], the low word first
    const expires = reader.u32();
    const rqueue = reader.u32();
    const wqueue = reader.u32();
    const uid = reader.u32();
    const inode = reader.u32();
    const attributes = reader.position;

    const name = tcpStateName(state);
    if (name === undefined) throw new ParseError(`inet_diag_msg at ${start}`, `state ${state} is not known`);
    if (family !== AF_INET && family !== AF_INET6) {
      throw new ParseError(`inet_diag_msg at ${start}`, `family ${family} is neither IPv4 nor IPv6`);
    }
    const bytes = reader.bytes;
    const address = (at: number): string =>
      family === AF_INET ? this.#addresses.v4(bytes, at) : this.#addresses.v6(bytes, at);
    const identity = {
      netns: this.#netns,
      family: family === AF_INET ? (4 as const) : (6 as const),
      local: { address: address(src), port: sport },
      uid,
      ...(inode !== 0 && { inode }),
    };

    if (name === 'LISTEN') {
      const listener: Listener = { ...identity, queue: rqueue, limit: wqueue };
      readAttributes(reader, attributes, end, listener);
      return listener;
    }
    const socket: TcpSocket = {
      ...identity,
      state: name,
      peer: { address: address(dst), port: dport },
      recvQueue: rqueue,
      sendQueue: wqueue,
      timer: TIMERS[timer] ?? 'none',
      cookie,
      ...(timer !== 0 && { timerMs: expires }),
    };
    readAttributes(reader, attributes, end, socket);
    return socket;
  }
}

// enum in inet_diag.h: values of nlattr types behind the message.
function readAttributes(reader: StructReader, start: number, end: number, socket: TcpSocket | Listener): void {
  walkAttributes(reader, start, end, (type, from, to) => {
    if (type === INET_DIAG_CGROUP_ID) {
      socket.cgroupId = reader.at(from, to).u64();
    } else if (type === INET_DIAG_INFO && 'state' in socket) {
      readTcpInfoTimes(reader.at(from, to), socket);
    }
  });
}
