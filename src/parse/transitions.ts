import { TCP_STATE } from '../model/socket.ts';

/**
 * What the BPF program on inet_sock_set_state writes for each socket that comes into CLOSE_WAIT or leaves it
 * (src/kernel/bpf/transition-program.ts). Little-endian; `socket` is the kernel's address of it, which tells sockets
 * apart while they live. `inode` is 0 when no file belongs to it, `pid` that of whoever changed the state: of an entry it
 * says nothing, for it is whatever ran when the FIN came.
 */
export const TRANSITION = { socket: 0, inode: 8, pid: 12, oldState: 16, newState: 17 } as const;
export const TRANSITION_SIZE = 24;

/** Takes entries and exits one by one. */
export type TransitionSink = {
  entered(socket: number, inode: number): void;
  left(socket: number, pid: number): void;
};

// Flags in the length of a record, and the size of its header (include/uapi/linux/bpf.h: BPF_RINGBUF_*).
const BUSY = 0x80000000;
const DISCARDED = 0x40000000;
const HEADER_SIZE = 8;
const ALIGNMENT = 8;

/**
 * Reads the records of a BPF ring buffer from the consumer's position to the producer's, and gives the new position of
 * the consumer. Positions count on for ever; `data` is the ring of `size` bytes (a power of two), mapped twice in a
 * row, so that a record is never split. Ends at a record that is still being written, and at one that is none of ours.
 */
export function readRing(data: DataView, size: number, from: number, to: number, sink: TransitionSink): number {
  let position = from;
  while (position + HEADER_SIZE <= to) {
    const at = position % size;
    const header = data.getUint32(at, true);
    if ((header & BUSY) !== 0) break;
    const length = header & ~DISCARDED & ~BUSY;
    if (length > size) break;
    if ((header & DISCARDED) === 0 && length === TRANSITION_SIZE) readTransition(data, at + HEADER_SIZE, sink);
    position += HEADER_SIZE + Math.ceil(length / ALIGNMENT) * ALIGNMENT;
  }
  return position;
}

function readTransition(data: DataView, at: number, sink: TransitionSink): void {
  const socket = addressAt(data, at + TRANSITION.socket);
  const entered = data.getUint8(at + TRANSITION.newState) === TCP_STATE.CLOSE_WAIT;
  if (entered) sink.entered(socket, data.getUint32(at + TRANSITION.inode, true));
  else sink.left(socket, data.getUint32(at + TRANSITION.pid, true));
}

/** Addresses of the kernel have their highest 16 bits in common, and 48 fit into a number. */
export const addressAt = (data: DataView, at: number): number =>
  data.getUint32(at, true) + data.getUint16(at + 4, true) * 2 ** 32;
