import { getSystemErrorName } from 'node:util';
import { SystemError } from '../model/errors.ts';
import { StructReader } from '../parse/bytes.ts';
import {
  type DiagRequest,
  encodeDiagRequest,
  encodeSocketRequest,
  SOCK_DESTROY,
  type SocketId,
} from '../parse/inet-diag.ts';
import {
  encodeNetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_HDRLEN,
  walkDatagram,
} from '../parse/netlink.ts';
import * as libc from './libc.ts';
import type { DatagramSink } from './machine.ts';

// The kernel fills up to 32 KB per datagram when the reader's buffer is that large (net/netlink/af_netlink.c).
let buffer: libc.Memory | undefined;
let sequence = 0;

/** Sends one dump request and hands the datagrams of the answer to `sink` until it wants no more. */
export function dumpSockets(fd: number, request: DiagRequest, sink: DatagramSink): void {
  buffer ??= libc.allocate(65_536);
  const { type, payload } = encodeDiagRequest(request);
  libc.send(fd, encodeNetlinkMessage(type, NLM_F_REQUEST | NLM_F_DUMP, ++sequence, payload));
  for (;;) {
    const length = libc.receive(fd, buffer);
    if (length === 0) throw new SystemError('ENODATA', 'recv on NETLINK_SOCK_DIAG');
    // What is left of an earlier dump that was given up has its number (nlmsg_seq).
    if (length >= NLMSG_HDRLEN && buffer.bytes.readUInt32LE(8) !== sequence) continue;
    if (!sink(buffer.bytes, length)) return;
  }
}

/** Ends one socket from outside (CAP_NET_ADMIN, CONFIG_INET_DIAG_DESTROY). Whoever holds it keeps a closed one. */
export function destroySocket(fd: number, id: SocketId): void {
  buffer ??= libc.allocate(65_536);
  libc.send(fd, encodeNetlinkMessage(SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK, ++sequence, encodeSocketRequest(id)));
  for (;;) {
    const length = libc.receive(fd, buffer);
    if (length >= NLMSG_HDRLEN && buffer.bytes.readUInt32LE(8) !== sequence) continue;
    const { end } = walkDatagram(new StructReader('nlmsghdr', buffer.bytes), length, () => {});
    if (end.kind === 'error') throw new SystemError(getSystemErrorName(-end.errno), 'SOCK_DESTROY');
    return;
  }
}
