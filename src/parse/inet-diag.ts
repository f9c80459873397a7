import { ParseError } from '../model/errors.ts';
import {
  type Endpoint,
  type Listener,
  TCP_STATE,
  type TcpSocket,
  type TcpTimer,
  tcpStateName,
} from '../model/socket.ts';
import { AddressCache } from './address.ts';
import { StructReader } from './bytes.ts';
import { walkAttributes } from './netlink.ts';
import { noTcpInfo, readTcpInfoTimes } from './tcp-info.ts';

// include/uapi/linux/inet_diag.h and sock_diag.h
export const TCPDIAG_GETSOCK = 18;
export const SOCK_DIAG_BY_FAMILY = 20;
export const SOCK_DESTROY = 21;
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

/** Exactly one socket: its two ends as the kernel gives them, the interface it is bound to (0 for none), and its cookie. */
export type SocketId = { local: Uint8Array; peer: Uint8Array; boundInterface: number; cookie: bigint };

/** A request (SOCK_DESTROY) for the socket with this cookie, and no other one that has its addresses by now. */
export function encodeSocketRequest({ local, peer, boundInterface, cookie }: SocketId): Uint8Array {
  const [from, to] = [new StructReader('sockaddr', local), new StructReader('sockaddr', peer)];
  const family = from.u16();
  if (to.u16() !== family || (family !== AF_INET && family !== AF_INET6))
    throw new ParseError('sockaddr', `family ${family} is neither IPv4 nor IPv6`);
  if (cookie === 0n) throw new ParseError('sockaddr', 'a socket without a cookie could be another one');
  const payload = new Uint8Array(56);
  const view = new DataView(payload.buffer);
  view.setUint8(0, family); // sdiag_family
  view.setUint8(1, IPPROTO_TCP); // sdiag_protocol
  view.setUint32(4, 1 << TCP_STATE.CLOSE_WAIT, true); // idiag_states, not looked at
  // struct inet_diag_sockid at 8: idiag_sport, idiag_dport, idiag_src, idiag_dst, idiag_if, idiag_cookie
  payload.set(portAndAddress(local, family).port, 8);
  payload.set(portAndAddress(peer, family).port, 10);
  payload.set(portAndAddress(local, family).address, 12);
  payload.set(portAndAddress(peer, family).address, 28);
  view.setUint32(44, boundInterface, true);
  view.setBigUint64(48, cookie, true);
  return payload;
}

// struct sockaddr_in: sin_family, sin_port, sin_addr; struct sockaddr_in6: sin6_family, sin6_port, sin6_flowinfo, sin6_addr.
function portAndAddress(name: Uint8Array, family: number): { port: Uint8Array; address: Uint8Array } {
  const [start, end] = family === AF_INET ? [4, 8] : [8, 24];
  if (name.length < end) throw new ParseError('sockaddr', `${name.length} bytes are too short`);
  return { port: name.subarray(2, 4), address: name.subarray(start, end) };
}

// idiag_timer, set in net/ipv4/inet_diag.c: inet_sk_diag_fill
const TIMERS: readonly TcpTimer[] = ['none', 'retransmit', 'keepalive', 'timewait', 'zero-window-probe'];

/** Turns the messages of one namespace's dump into sockets and listeners. */
export class DiagDecoder {
  readonly #netns: number;
  readonly #addresses = new AddressCache();
  readonly #times = noTcpInfo();
  #local: Endpoint = { address: '', port: 0 };
  #cgroup = 0n;
  #hasCgroup = false;
  #reader = new StructReader('inet_diag_msg', new Uint8Array());

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
    this.#readAttributes(reader, attributes, end);
    const ipVersion = family === AF_INET ? 4 : 6;
    const local = this.#localEndpoint(this.#address(family, reader.bytes, src), sport);
    if (name === 'LISTEN') {
      const listener: Listener = { netns: this.#netns, family: ipVersion, local, queue: rqueue, limit: wqueue, uid };
      if (inode !== 0) listener.inode = inode;
      if (this.#hasCgroup) listener.cgroupId = this.#cgroup;
      return listener;
    }
    const socket: TcpSocket = {
      netns: this.#netns,
      family: ipVersion,
      state: name,
      local,
      peer: { address: this.#address(family, reader.bytes, dst), port: dport },
      recvQueue: rqueue,
      sendQueue: wqueue,
      timer: TIMERS[timer] ?? 'none',
      uid,
      cookie,
    };
    // Assigned, not spread: with 100,000 sockets that is a quarter of the time.
    if (inode !== 0) socket.inode = inode;
    if (timer !== 0) socket.timerMs = expires;
    if (this.#hasCgroup) socket.cgroupId = this.#cgroup;
    const times = this.#times;
    if (times.present) {
      socket.lastDataSentMs = times.lastDataSentMs;
      socket.lastDataReceivedMs = times.lastDataReceivedMs;
      socket.lastAckReceivedMs = times.lastAckReceivedMs;
      if (times.bytesAcked >= 0) {
        socket.bytesAcked = times.bytesAcked;
        socket.bytesReceived = times.bytesReceived;
      }
    }
    return socket;
  }

  /** Inbound connections share their local end, and one after the other they are of the same listener. */
  #localEndpoint(address: string, port: number): Endpoint {
    if (this.#local.port !== port || this.#local.address !== address) this.#local = { address, port };
    return this.#local;
  }

  #address(family: number, bytes: Uint8Array, at: number): string {
    return family === AF_INET ? this.#addresses.v4(bytes, at) : this.#addresses.v6(bytes, at);
  }

  // enum in inet_diag.h: types of the attributes behind the message.
  #readAttributes(reader: StructReader, start: number, end: number): void {
    this.#reader = reader;
    this.#times.present = false;
    this.#hasCgroup = false;
    walkAttributes(reader, start, end, this.#onAttribute);
  }

  // One function for all messages, for there are many.
  readonly #onAttribute = (type: number, from: number, to: number): void => {
    if (type === INET_DIAG_INFO) {
      readTcpInfoTimes(this.#reader.at(from, to), this.#times);
    } else if (type === INET_DIAG_CGROUP_ID) {
      const id = this.#reader.at(from, to).u64();
      this.#hasCgroup = true;
      if (id !== this.#cgroup) this.#cgroup = id; // few cgroups, many sockets: one bigint for each cgroup
    }
  };
}

/** sizeof(struct inet_diag_msg) */
export const INET_DIAG_MSG_SIZE = 72;

/** Overwrites with zeros, in the reader's bytes, what no socket is made of: every attribute but the two read above. */
export function blankAttributes(reader: StructReader, start: number, end: number): void {
  walkAttributes(reader, start + INET_DIAG_MSG_SIZE, end, (type, from, to) => {
    if (type !== INET_DIAG_INFO && type !== INET_DIAG_CGROUP_ID) reader.bytes.fill(0, from, to);
  });
}
