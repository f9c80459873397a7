import { readFileSync } from 'node:fs';
import { ParseError, SystemError } from '../../model/errors.ts';
import { parseStatus } from '../../parse/proc-pid.ts';
import { ticksPerSecond } from '../libc.ts';
import type { HeldAnswer, HeldRequest } from '../machine.ts';
import { isFirstPidNamespace } from '../pid-namespace.ts';
import { HeldSocketIterator } from './iterator.ts';
import { type HeldProgramRequest, MissingType } from './program.ts';
import { KernelTypes } from './types.ts';
import { readTypesCache, writeTypesCache } from './types-cache.ts';

type Kind = HeldProgramRequest['kind'];

// include/uapi/linux/capability.h
const CAP_SYS_ADMIN = 21n;
const CAP_PERFMON = 38n;
const CAP_BPF = 39n;

/** Asks for held sockets by a BPF iterator: with the typed program, or else with the generic one. */
export class HeldSource {
  readonly #kinds: readonly Kind[];
  readonly #iterators = new Map<string, HeldSocketIterator>();
  #types: KernelTypes | undefined;
  #kind: Kind | undefined;

  constructor(kinds: readonly Kind[]) {
    this.#kinds = kinds;
  }

  read(request: HeldRequest): HeldAnswer {
    const { kind, iterator, types } = this.#iterator(request);
    const bytes = iterator.read();
    const { absent } = iterator;
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

  #iterator(request: HeldRequest): { kind: Kind; iterator: HeldSocketIterator; types: KernelTypes } {
    const types = this.#openTypes();
    const key = `${request.states} ${request.pid}`;
    const known = this.#iterators.get(key);
    if (known && this.#kind) return { kind: this.#kind, iterator: known, types };
    let refusal: unknown;
    for (const kind of this.#kind ? [this.#kind] : this.#kinds) {
      try {
        const iterator = openIterator({ ...request, kind, translatePids: !isFirstPidNamespace() }, types);
        this.#iterators.set(key, iterator);
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
