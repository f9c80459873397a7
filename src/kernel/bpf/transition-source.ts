import { SystemError } from '../../model/errors.ts';
import { readRing, TRANSITION_SIZE, type TransitionSink } from '../../parse/transitions.ts';
import * as libc from '../libc.ts';
import { isFirstPidNamespace } from '../pid-namespace.ts';
import type { TransitionSource } from '../transitions.ts';
import { requireCapabilities } from './held-source.ts';
import { loadProgram } from './load.ts';
import { MissingType } from './program.ts';
import { transitionProgram } from './transition-program.ts';
import { KernelTypes } from './types.ts';
import { readTypesCache, writeTypesCache } from './types-cache.ts';

// enum bpf_cmd, bpf_map_type and bpf_attach_type in include/uapi/linux/bpf.h
const BPF_MAP_CREATE = 0;
const BPF_RAW_TRACEPOINT_OPEN = 17;
const BPF_MAP_TYPE_RINGBUF = 27;
const BPF_TRACE_RAW_TP = 23;

/** For 32,000 entries and exits between two drains: at 40,000 in a second they may be 0.8 s apart. */
const RING_SIZE = 1 << 20;
/** A ring with less room than this may have had none: records come while it is read. */
const NEARLY_FULL = RING_SIZE - 2 * (TRANSITION_SIZE + 8);
const TRACEPOINT = 'btf_trace_inet_sock_set_state';

/** A BPF program on the tracepoint inet_sock_set_state (Linux 5.8). Gone when its descriptors are closed. */
export class BpfTransitions implements TransitionSource {
  readonly kind = 'bpf';
  readonly #fds: number[] = [];
  readonly #mappings: libc.Mapping[] = [];
  readonly #consumer: BigUint64Array;
  readonly #producer: BigUint64Array;
  readonly #data: DataView;
  #lost = false;

  /** Throws SystemError where the machine does not allow it. */
  constructor() {
    const pageSize = libc.pageSize();
    requireCapabilities();
    const types = new KernelTypes(readTypesCache());
    try {
      const target = types.typedef(TRACEPOINT);
      if (target === undefined) throw new MissingType(`this kernel has no ${TRACEPOINT} in its types`);
      const ring = this.#own(createRing());
      const program = transitionProgram({ ring, withPids: isFirstPidNamespace() }, types.member);
      const loaded = this.#own(loadProgram(program, BPF_TRACE_RAW_TP, target));
      // The page of the consumer, which we write; that of the producer; and the ring twice in a row.
      const consumer = this.#map(ring, 0, pageSize, 'write');
      const rest = this.#map(ring, pageSize, pageSize + 2 * RING_SIZE, 'read');
      this.#consumer = positionIn(consumer);
      this.#producer = positionIn(rest);
      this.#data = new DataView(rest.buffer, rest.byteOffset + pageSize, 2 * RING_SIZE);
      this.#own(attach(loaded));
    } catch (error) {
      this.close();
      if (error instanceof MissingType) throw new SystemError('ENOSYS', error.message);
      throw error;
    }
    if (types.learned) writeTypesCache(types.known);
  }

  #own(fd: number): number {
    this.#fds.push(fd);
    return fd;
  }

  #map(fd: number, offset: number, length: number, access: 'read' | 'write'): Uint8Array {
    const mapping = libc.map(fd, offset, length, access);
    this.#mappings.push(mapping);
    return mapping.bytes;
  }

  drain(sink: TransitionSink): void {
    const from = Number(Atomics.load(this.#consumer, 0));
    const to = Number(Atomics.load(this.#producer, 0));
    if (to - from >= NEARLY_FULL) this.#lost = true;
    const position = readRing(this.#data, RING_SIZE, from, to, sink);
    if (position !== from) Atomics.store(this.#consumer, 0, BigInt(position));
  }

  takeLost(): boolean {
    const lost = this.#lost;
    this.#lost = false;
    return lost;
  }

  close(): void {
    for (const fd of this.#fds.splice(0).reverse()) libc.close(fd);
    for (const mapping of this.#mappings.splice(0)) mapping.unmap();
  }
}

/** Positions are one 64-bit number at the beginning of their page. */
const positionIn = ({ buffer, byteOffset }: Uint8Array): BigUint64Array =>
  new BigUint64Array(buffer as ArrayBuffer, byteOffset, 1);

function createRing(): number {
  // union bpf_attr for BPF_MAP_CREATE
  const attributes = libc.allocate(72);
  attributes.bytes.fill(0);
  attributes.bytes.writeUInt32LE(BPF_MAP_TYPE_RINGBUF, 0); // map_type
  attributes.bytes.writeUInt32LE(RING_SIZE, 12); // max_entries
  try {
    return libc.bpf(BPF_MAP_CREATE, attributes, 'MAP_CREATE');
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== 'EPERM') throw error;
    libc.allowLockedMemory();
    return libc.bpf(BPF_MAP_CREATE, attributes, 'MAP_CREATE');
  }
}

function attach(program: number): number {
  const attributes = libc.allocate(16); // u64 name, u32 prog_fd
  attributes.bytes.fill(0);
  attributes.bytes.writeUInt32LE(program, 8);
  return libc.bpf(BPF_RAW_TRACEPOINT_OPEN, attributes, 'RAW_TRACEPOINT_OPEN');
}
