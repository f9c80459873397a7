import { SystemError } from '../../model/errors.ts';
import * as libc from '../libc.ts';

// enum bpf_cmd and bpf_prog_type in include/uapi/linux/bpf.h
const BPF_PROG_LOAD = 5;
const BPF_PROG_TYPE_TRACING = 26;

/** Licences that the helper bpf_probe_read_kernel asks for; the string only says so to the kernel. */
const LICENSE = Buffer.from('GPL\0');

/** Loads a program of type tracing that attaches in one of the ways of enum bpf_attach_type to a type of the kernel's BTF. */
export function loadProgram(instructions: Uint8Array, attachType: number, target: number): number {
  const code = libc.allocate(instructions.length);
  code.bytes.set(instructions);
  const license = libc.allocate(LICENSE.length);
  license.bytes.set(LICENSE);
  // union bpf_attr for BPF_PROG_LOAD, as long as it was in Linux 5.8.
  const attributes = libc.allocate(120);
  const { bytes } = attributes;
  bytes.fill(0);
  bytes.writeUInt32LE(BPF_PROG_TYPE_TRACING, 0); // prog_type
  bytes.writeUInt32LE(instructions.length / 8, 4); // insn_cnt
  bytes.writeBigUInt64LE(BigInt(code.address), 8); // insns
  bytes.writeBigUInt64LE(BigInt(license.address), 16); // license
  bytes.write('unclosed', 48, 15, 'latin1'); // prog_name
  bytes.writeUInt32LE(attachType, 68); // expected_attach_type
  bytes.writeUInt32LE(target, 108); // attach_btf_id
  for (let attempt = 1; ; attempt++) {
    try {
      return libc.bpf(BPF_PROG_LOAD, attributes, 'PROG_LOAD');
    } catch (error) {
      if (!(error instanceof SystemError) || error.code === 'EPERM') throw error;
      if (error.code === 'EAGAIN' && attempt < MOST_LOADS) continue;
      throw new SystemError(error.code, `${error.call}: ${reasonOf(attributes)}`);
    }
  }
}

/** The verifier gives up with EAGAIN when a signal arrives, as a profiler sends them. */
const MOST_LOADS = 10;

const LOG_SIZE = 1 << 20;

/** What the verifier has against a program: the last lines of its log. */
function reasonOf(attributes: libc.Memory): string {
  const log = libc.allocate(LOG_SIZE);
  log.bytes.fill(0);
  attributes.bytes.writeUInt32LE(1, 24); // log_level
  attributes.bytes.writeUInt32LE(LOG_SIZE, 28); // log_size
  attributes.bytes.writeBigUInt64LE(BigInt(log.address), 32); // log_buf
  try {
    libc.close(libc.bpf(BPF_PROG_LOAD, attributes, 'PROG_LOAD'));
    return 'refused once, then not';
  } catch {
    const text = log.bytes.toString('latin1', 0, log.bytes.indexOf(0));
    const lines = text
      .split('\n')
      .filter((line) => line !== '' && !/^(processed|verification time|stack depth)/.test(line));
    return lines.at(-1) ?? 'the verifier says nothing';
  }
}
