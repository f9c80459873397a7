import { ParseError } from '../model/errors.ts';
import type { StructReader } from './bytes.ts';

// struct nlmsghdr and the control messages: include/uapi/linux/netlink.h. Host byte order, which is little-endian on
// every machine this runs on.
export const NLMSG_HDRLEN = 16;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP = 0x300;
const NLM_F_DUMP_INTR = 0x10;

/** Messages and attributes begin at multiples of four (NLMSG_ALIGNTO, NLA_ALIGNTO). */
const align4 = (length: number): number => (length + 3) & ~3;

/** A request: the header with `payload` behind it. */
export function encodeNetlinkMessage(type: number, flags: number, sequence: number, payload: Uint8Array): Uint8Array {
  const message = new Uint8Array(NLMSG_HDRLEN + align4(payload.length));
  const view = new DataView(message.buffer);
  view.setUint32(0, NLMSG_HDRLEN + payload.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  message.set(payload, NLMSG_HDRLEN);
  return message;
}

/** How a datagram of a dump ended: more to come, complete, or refused with an errno (positive, 0 is never given). */
export type DatagramEnd = { kind: 'more' } | { kind: 'done' } | { kind: 'error'; errno: number };
export type Datagram = { end: DatagramEnd; interrupted: boolean };

/**
 * Walks the messages of one datagram and gives each payload's bounds to `visit`. `interrupted` is the kernel's word
 * that its table changed while it was dumped (NLM_F_DUMP_INTR, Linux 3.1).
 */
export function walkDatagram(
  reader: StructReader,
  length: number,
  visit: (type: number, start: number, end: number) => void,
): Datagram {
  let interrupted = false;
  for (let offset = 0; offset < length; ) {
    reader.at(offset, length);
    const size = reader.u32();
    const type = reader.u16();
    const flags = reader.u16();
    reader.skip(8); // nlmsg_seq, nlmsg_pid: one request at a time on a socket of our own
    if (size < NLMSG_HDRLEN || offset + size > length) {
      throw new ParseError(`nlmsghdr at ${offset}`, `length ${size} does not fit into ${length - offset} bytes`);
    }
    if (flags & NLM_F_DUMP_INTR) interrupted = true;
    if (type === NLMSG_ERROR || type === NLMSG_DONE) {
      return { end: endOf(type, reader, size), interrupted };
    }
    visit(type, offset + NLMSG_HDRLEN, offset + size);
    offset += align4(size);
  }
  return { end: { kind: 'more' }, interrupted };
}

// Both carry an int: the negative errno of NLMSG_ERROR (0 acknowledges), and in NLMSG_DONE the dump's own result,
// which old kernels leave out.
function endOf(type: number, reader: StructReader, size: number): DatagramEnd {
  const errno = type === NLMSG_DONE && size < NLMSG_HDRLEN + 4 ? 0 : -reader.s32();
  return errno > 0 ? { kind: 'error', errno } : { kind: 'done' };
}

/** Walks the attributes (struct nlattr) up to the reader's end. The visitor reads the value from `start`. */
export function walkAttributes(
  reader: StructReader,
  start: number,
  end: number,
  visit: (type: number, start: number, end: number) => void,
): void {
  for (let offset = start; offset < end; ) {
    reader.at(offset, end);
    const size = reader.u16();
    const type = reader.u16() & 0x3fff; // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
    if (size < 4 || offset + size > end) {
      throw new ParseError(`nlattr at ${offset}`, `length ${size} does not fit into ${end - offset} bytes`);
    }
    visit(type, offset + 4, offset + size);
    offset += align4(size);
  }
}
