import { readFileSync } from 'node:fs';
import { ParseError, SystemError } from '../../model/errors.ts';
import { HELD_SIZE } from '../../parse/held-socket.ts';
import { parseStatus } from '../../parse/proc-pid.ts';
import { ticksPerSecond } from '../libc.ts';
import type { HeldAnswer, HeldRequest } from '../machine.ts';
import { isFirstPidNamespace } from '../pid-namespace.ts';
import { HeldSocketIterator } from './iterator.ts';
import { type FdRange, type HeldProgramRequest, MissingType } from './program.ts';
import { KernelTypes } from './types.ts';
import { readTypesCache, writeTypesCache } from './types-cache.ts';

type Kind = HeldProgramRequest['kind'];

// include/uapi/linux/capability.h
const CAP_SYS_ADMIN = 21n;
const CAP_PERFMON = 38n;
const CAP_BPF = 39n;

type Opened = { kind: Kind; iterator: HeldSocketIterator; types: KernelTypes };

/** Asks for held sockets by a BPF iterator: with the typed program, or else with the generic one. */
export class HeldSource {
  readonly #kinds: readonly Kind[];
  readonly #opened = new Map<string, Opened>();
  #types: KernelTypes | undefined;
  #kind: Kind | undefined;

  constructor(kinds: readonly Kind[]) {
    this.#kinds = kinds;
  }

  read(request: HeldRequest): HeldAnswer {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead && keyOf(ahead.request) === keyOf(request)) return ahead.answer;
    const opened = this.#iterator(request);
    return this.#answer(opened, opened.iterator.read());
  }

  /**
   * Makes a pass in threads of their own, one for each range of descriptors, while this one goes on. The next read of
   * the same gets the answer at once.
   */
  async readAhead(request: HeldRequest, ranges: readonly FdRange[], sockets: number): Promise<void> {
    // A range may have more than its share, and some sockets are not counted yet.
    const share = Math.ceil((sockets / ranges.length) * 1.1 + SOME_MORE) * HELD_SIZE;
    const room = Buffer.allocUnsafeSlow(share * ranges.length);
    const opened: Opened[] = [];
    const reads: Promise<Buffer[]>[] = [];
    try {
      // One reads already while the kernel checks the program of the next.
      for (const fds of ranges) {
        const one = this.#open({ ...request, fds });
        const from = opened.push(one) - 1;
        reads.push(one.iterator.readInThread(room.subarray(from * share, (from + 1) * share)));
      }
      const pieces = await Promise.all(reads);
      const [first] = opened;
      if (first) this.#ahead = { request, answer: this.#answer(first, joined(room, pieces)) };
    } finally {
      await Promise.allSettled(reads);
      for (const { iterator } of opened) iterator.close();
    }
  }

  /** Gives back what the kernel holds for it. */
  close(): void {
    for (const { iterator } of this.#opened.values()) iterator.close();
    this.#opened.clear();
  }

  #ahead: { request: HeldRequest; answer: HeldAnswer } | undefined;

  #answer({ kind, iterator: { absent }, types }: Opened, bytes: Uint8Array): HeldAnswer {
    const hasFlags = !absent.includes('flags');
    const keepaliveBit = hasFlags ? types.enumerator('sock_flags', 'SOCK_KEEPOPEN') : undefined;
    const lingerBit = hasFlags ? types.enumerator('sock_flags', 'SOCK_LINGER') : undefined;
    if (types.learned) writeTypesCache(types.known);
    return {
      bytes,
      facts: {
        kind,
        ticksPerSecond: ticksPerSecond(),
        ...(keepaliveBit !== undefined && { keepaliveBit }),
        ...(lingerBit !== undefined && { lingerBit }),
        absent,
      },
    };
  }

  #iterator(request: HeldRequest): Opened {
    const key = keyOf(request);
    const known = this.#opened.get(key);
    if (known) return known;
    const opened = this.#open(request);
    this.#opened.set(key, opened);
    return opened;
  }

  #open(request: HeldRequest & { fds?: FdRange }): Opened {
    const types = this.#openTypes();
    let refusal: unknown;
    for (const kind of this.#kind ? [this.#kind] : this.#kinds) {
      try {
        const iterator = openIterator({ ...request, kind, translatePids: !isFirstPidNamespace() }, types);
        this.#kind = kind;
        return { kind, iterator, types };
      } catch (error) {
        if (!(error instanceof SystemError || error instanceof MissingType || error instanceof ParseError)) throw error;
        refusal = error;
        if (error instanceof SystemError && error.code === 'EPERM') break; // the other one needs the same rights
      }
    }
    throw asSystemError(refusal);
  }

  /** Capabilities first: that costs nothing, and a refused try 25 ms. */
  #openTypes(): KernelTypes {
    if (this.#types) return this.#types;
    requireCapabilities();
    this.#types = new KernelTypes(readTypesCache());
    return this.#types;
  }
}

const keyOf = ({ states, pid }: HeldRequest): string => `${states} ${pid}`;

/** Records that are made room for beyond those that were counted. */
const SOME_MORE = 1000;

/** What was read into parts of one room, moved together where all of it is there. */
function joined(room: Buffer, parts: Buffer[][]): Uint8Array {
  const pieces = parts.flat();
  if (pieces.length > parts.length) return Buffer.concat(pieces);
  let length = 0;
  for (const piece of pieces) {
    const from = piece.byteOffset - room.byteOffset;
    room.copyWithin(length, from, from + piece.length);
    length += piece.length;
  }
  return room.subarray(0, length);
}

function openIterator(request: HeldProgramRequest & { pid?: number }, types: KernelTypes): HeldSocketIterator {
  if (request.pid === undefined) return new HeldSocketIterator(request, types);
  try {
    return new HeldSocketIterator(request, types, request.pid);
  } catch (error) {
    // Before Linux 6.1 an iterator cannot be limited. Linux 5.10 takes the limit and shows all processes all the same;
    // what refuses it is asked for all of them here. The caller takes the one that it wants.
    if (!(error instanceof SystemError) || !['EINVAL', 'E2BIG'].includes(error.code)) throw error;
    return new HeldSocketIterator(request, types);
  }
}

export function requireCapabilities(): void {
  const path = '/proc/self/status';
  const { capEff = 0n } = parseStatus(readFileSync(path, 'latin1'), path);
  const has = (capability: bigint): boolean => ((capEff >> capability) & 1n) === 1n;
  if (!has(CAP_SYS_ADMIN) && !(has(CAP_BPF) && has(CAP_PERFMON)))
    throw new SystemError('EPERM', 'BPF needs root, or CAP_BPF and CAP_PERFMON');
}

function asSystemError(error: unknown): SystemError {
  if (error instanceof SystemError) return error;
  return new SystemError('ENOSYS', error instanceof Error ? error.message : String(error));
}
