import { readSync, readv } from 'node:fs';
import { SystemError } from '../../model/errors.ts';
import { HELD_SIZE, type HeldField } from '../../parse/held-socket.ts';
import * as libc from '../libc.ts';
import { loadProgram } from './load.ts';
import { type HeldProgramRequest, heldSocketProgram, MissingType } from './program.ts';
import type { KernelTypes } from './types.ts';

// enum bpf_cmd and bpf_attach_type in include/uapi/linux/bpf.h
const BPF_LINK_CREATE = 28;
const BPF_ITER_CREATE = 33;
const BPF_TRACE_ITER = 28;

/** The kernel fills at most 32 KB in one read, and never splits a record. */
const READ_SIZE = 65_536;
/** A pass that says EAGAIN so often has looked at more descriptors (a million each) than a machine can have. */
const MOST_EMPTY_READS = 10_000;

/**
 * A program of iter/task_file in the kernel. It can be read again and again: each pass walks over all descriptors anew
 * and costs no further load. Everything is gone when its descriptors are closed, or with this process.
 */
export class HeldSocketIterator {
  readonly absent: readonly HeldField[];
  readonly #program: number;
  readonly #link: number;
  /** Bytes of the pass before, and some more: a pass that is repeated needs no larger buffer on the way. */
  #expected = READ_SIZE * 4;

  /** `pid` limits it to one process, where the kernel can (Linux 6.1). Throws SystemError or MissingType. */
  constructor(request: HeldProgramRequest, types: KernelTypes, pid?: number) {
    const target = types.func('bpf_iter_task_file');
    if (target === undefined) throw new MissingType('this kernel has no iterator over descriptors (Linux 5.8)');
    const { instructions, absent } = heldSocketProgram(request, types.member);
    this.absent = absent;
    this.#program = loadProgram(instructions, BPF_TRACE_ITER, target);
    try {
      this.#link = createLink(this.#program, pid);
    } catch (error) {
      libc.close(this.#program);
      throw error;
    }
  }

  #begin(): number {
    const attributes = libc.allocate(8);
    attributes.bytes.fill(0).writeUInt32LE(this.#link, 0); // link_fd, flags
    return libc.bpf(BPF_ITER_CREATE, attributes, 'ITER_CREATE');
  }

  /** All records of one pass, one behind the other (src/parse/held-socket.ts). */
  read(): Uint8Array {
    const iterator = this.#begin();
    try {
      const bytes = readAll(iterator, this.#expected);
      this.#expected = bytes.length + READ_SIZE * 2;
      return bytes;
    } finally {
      libc.close(iterator);
    }
  }

  /**
   * The same, read by a thread of its own. They begin in `room`; what does not fit there comes in further pieces, in their
   * order.
   */
  async readInThread(room: Buffer): Promise<Buffer[]> {
    const iterator = this.#begin();
    try {
      return await readPieces(iterator, room);
    } finally {
      libc.close(iterator);
    }
  }

  close(): void {
    libc.close(this.#link);
    libc.close(this.#program);
  }
}

function readAll(fd: number, expected: number): Uint8Array {
  let bytes = Buffer.allocUnsafeSlow(expected);
  let length = 0;
  for (let empty = 0; empty < MOST_EMPTY_READS; ) {
    if (bytes.length - length < READ_SIZE) {
      const larger = Buffer.allocUnsafeSlow(bytes.length * 4);
      bytes.copy(larger, 0, 0, length);
      bytes = larger;
    }
    try {
      const read = readSync(fd, bytes, length, READ_SIZE, null);
      if (read === 0) return bytes.subarray(0, length);
      length += read;
    } catch (error) {
      if (!isPause(error as NodeJS.ErrnoException)) throw failed(error as NodeJS.ErrnoException);
      empty++;
    }
  }
  throw new SystemError('EAGAIN', 'read BPF iterator');
}

/** The kernel pauses after a million descriptors without a record. */
const isPause = ({ code }: NodeJS.ErrnoException): boolean => code === 'EAGAIN' || code === 'EINTR';

const failed = ({ code = 'EIO' }: NodeJS.ErrnoException): SystemError => new SystemError(code, 'read BPF iterator');

/** As many records as the kernel gives in one read: with room for one more it stops before that one. */
const ONE_READ = Math.floor((32_768 - 1) / HELD_SIZE) * HELD_SIZE;
/** IOV_MAX in include/uapi/linux/uio.h */
const MOST_READS = 1024;

async function readPieces(fd: number, room: Buffer): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  for (let empty = 0; empty < MOST_EMPTY_READS; ) {
    const piece = pieces.length === 0 ? room : Buffer.allocUnsafeSlow(room.length);
    let length = 0;
    let read = -1;
    while (length < piece.length && read !== 0 && empty < MOST_EMPTY_READS) {
      read = await readMuch(fd, piece.subarray(length));
      if (read < 0) empty++;
      else length += read;
    }
    pieces.push(piece.subarray(0, length));
    if (read === 0) return pieces;
  }
  throw new SystemError('EAGAIN', 'read BPF iterator');
}

/** Many reads of the kernel's in one call; -1 where it pauses. */
async function readMuch(fd: number, into: Buffer): Promise<number> {
  const parts: Buffer[] = [];
  for (let from = 0; from < into.length && parts.length < MOST_READS; from += ONE_READ)
    parts.push(into.subarray(from, from + ONE_READ));
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  readv(fd, parts, (error, read) => {
    if (!error) resolve(read);
    else if (isPause(error)) resolve(-1);
    else reject(failed(error));
  });
  return promise;
}

function createLink(program: number, pid: number | undefined): number {
  const info = libc.allocate(16); // union bpf_iter_link_info for tasks: tid, pid, pid_fd
  info.bytes.fill(0);
  const attributes = libc.allocate(32);
  const { bytes } = attributes;
  bytes.fill(0);
  bytes.writeUInt32LE(program, 0); // prog_fd
  bytes.writeUInt32LE(BPF_TRACE_ITER, 8); // attach_type
  if (pid !== undefined) {
    info.bytes.writeUInt32LE(pid, 4);
    bytes.writeBigUInt64LE(BigInt(info.address), 16); // iter_info
    bytes.writeUInt32LE(info.bytes.length, 24); // iter_info_len
  }
  return libc.bpf(BPF_LINK_CREATE, attributes, 'LINK_CREATE');
}
