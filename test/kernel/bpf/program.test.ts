import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELPER } from '../../../src/kernel/bpf/assembler.ts';
import {
  type HeldProgramRequest,
  heldSocketProgram,
  type MemberOf,
  MissingType,
} from '../../../src/kernel/bpf/program.ts';
import { HELD_FIELD, HELD_SIZE, type HeldField } from '../../../src/parse/held-socket.ts';

const SIZES: Record<string, number> = {
  skc_state: 1,
  sk_shutdown: 1,
  icsk_pending: 1,
  skc_family: 2,
  skc_num: 2,
  skc_dport: 2,
  i_mode: 2,
  sk_protocol: 2,
  f_inode: 8,
  f_ep: 8,
  f_ep_links: 16,
  i_sb: 8,
  i_ino: 8,
  s_magic: 8,
  private_data: 8,
  sk: 8,
  net: 8,
  sk_wq: 8,
  pprev: 8,
  expires: 8,
  group_leader: 8,
  thread_pid: 8,
  skc_flags: 8,
};

/** A kernel that has everything but what a pattern says, each member at an offset of its own. */
function kernel(without = /^$/): MemberOf {
  const offsets = new Map<string, number>();
  return (struct, path) => {
    const name = `${struct}.${path}`;
    if (without.test(name)) return undefined;
    if (!offsets.has(name)) offsets.set(name, 8 * (offsets.size + 1));
    return { offset: offsets.get(name) ?? 0, size: SIZES[path.replace(/^.*\./, '')] ?? 4 };
  };
}

type Instruction = { opcode: number; dst: number; src: number; offset: number; value: number };

function disassemble(bytes: Uint8Array): Instruction[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 8 }, (_, index) => ({
    opcode: view.getUint8(index * 8),
    dst: view.getUint8(index * 8 + 1) & 15,
    src: view.getUint8(index * 8 + 1) >> 4,
    offset: view.getInt16(index * 8 + 2, true),
    value: view.getInt32(index * 8 + 4, true),
  }));
}

const request = (fields: Partial<HeldProgramRequest> = {}): HeldProgramRequest => ({
  kind: 'typed',
  states: 1 << 8,
  translatePids: false,
  ...fields,
});

const programOf = (fields: Partial<HeldProgramRequest>, memberOf = kernel()): Instruction[] =>
  disassemble(heldSocketProgram(request(fields), memberOf).instructions);

const CALL = 0x85;
const calls = (program: Instruction[], helper: keyof typeof HELPER): number =>
  program.filter(({ opcode, value }) => opcode === CALL && value === HELPER[helper]).length;

const KINDS: Partial<HeldProgramRequest>[] = [
  { kind: 'typed' },
  { kind: 'generic' },
  { kind: 'typed', translatePids: true },
  { kind: 'generic', translatePids: true },
];

for (const kind of KINDS) {
  const name = `${kind.kind}${kind.translatePids ? ', with pids of the own namespace' : ''}`;

  test(`${name}: every field is stored at its place, and nothing outside of the record and one word below it`, () => {
    const program = programOf(kind);
    const written = new Set<number>();
    program.forEach(({ opcode, dst, src, offset }, index) => {
      if ((opcode & 7) !== 3 || dst !== 10) return; // BPF_STX on the stack
      assert.ok(offset >= -HELD_SIZE - 8 && offset < 0, `instruction ${index}`);
      assert.ok(src <= 9);
      written.add(offset + HELD_SIZE);
    });
    // What a helper writes: its target is r10 plus the value of the instruction before `r2 = size`.
    program.forEach(({ opcode, dst, value }) => {
      if (opcode === 0x07 && dst === 1 && value < 0) written.add(value + HELD_SIZE);
    });
    program.forEach(({ opcode, dst, offset, value }) => {
      if (opcode === 0x72 && dst === 10 && value === 1) written.add(offset + HELD_SIZE); // a byte that is set to 1
    });
    const missing = (Object.keys(HELD_FIELD) as HeldField[]).filter((field) => !written.has(HELD_FIELD[field].offset));
    assert.deepEqual(missing, []);
  });

  test(`${name}: jumps stay inside, forward, and the program ends with exit`, () => {
    const program = programOf(kind);
    program.forEach(({ opcode, offset }, index) => {
      if ((opcode & 7) !== 5 || opcode === CALL || opcode === 0x95) return;
      assert.ok(offset >= 0 && index + 1 + offset < program.length, `instruction ${index}`);
    });
    assert.equal(program.at(-1)?.opcode, 0x95);
    assert.equal(calls(program, 'seq_write'), 1);
  });
}

test('a program for a range of descriptors leaves those below and above alone, before it looks at a file', () => {
  const JLT = 0xa5;
  const JGE = 0x35;
  const limits = (fds: HeldProgramRequest['fds']): [number, number][] =>
    programOf({ ...(fds && { fds }) })
      .slice(0, 9)
      .flatMap(({ opcode, value }): [number, number][] => (opcode === JLT || opcode === JGE ? [[opcode, value]] : []));
  assert.deepEqual(limits(undefined), []);
  assert.deepEqual(limits({ from: 0 }), []);
  assert.deepEqual(limits({ from: 0, to: 300 }), [[JGE, 300]]);
  assert.deepEqual(limits({ from: 300 }), [[JLT, 300]]);
  assert.deepEqual(limits({ from: 300, to: 600 }), [
    [JLT, 300],
    [JGE, 600],
  ]);
});

test('a file that is referred to twice is that of a descriptor alone, by either way of counting', () => {
  const compared = (memberOf: MemberOf): number[] => {
    const store = (it: Instruction): boolean => it.opcode === 0x72 && it.offset === HELD_FIELD.alone.offset - HELD_SIZE;
    const program = programOf({}, memberOf);
    const at = program.findIndex(store);
    return at < 0 ? [] : [program[at - 1]?.value ?? -1];
  };
  assert.deepEqual(compared(kernel()), [1]);
  assert.deepEqual(compared(kernel(/f_ref/)), [2]);
  assert.deepEqual(compared(kernel(/f_ref|f_count/)), []);
  assert.deepEqual(heldSocketProgram(request(), kernel(/f_ref|f_count/)).absent, ['alone']);
});

test('the typed program loads through pointers that the verifier knows, the generic one copies', () => {
  assert.equal(calls(programOf({ kind: 'typed' }), 'probe_read_kernel'), 0);
  assert.equal(calls(programOf({ kind: 'typed' }), 'sock_from_file'), 1);
  const generic = programOf({ kind: 'generic' });
  assert.equal(calls(generic, 'sock_from_file'), 0);
  assert.equal(calls(generic, 'skc_to_tcp_sock'), 0);
  // BPF_LDX through r9, the socket
  assert.deepEqual(
    generic.filter(({ opcode, src }) => (opcode & 7) === 1 && src === 9),
    [],
  );
});

test('a kernel without epoll sets in files, or without an error field, gives records without them', () => {
  const { absent } = heldSocketProgram(request(), kernel(/f_ep|sk_err/));
  assert.deepEqual(absent, ['inEpoll', 'error']);
});

test('before Linux 5.11 a file knows of its epoll sets by a list: it is empty when it leads back to itself', () => {
  for (const kind of KINDS) {
    const memberOf = kernel(/f_ep$/);
    const { instructions, absent } = heldSocketProgram(request(kind), memberOf);
    assert.deepEqual(absent, []);
    const program = disassemble(instructions);
    const head = memberOf('file', 'f_ep_links')?.offset;
    const read = program.findIndex(({ opcode, src, offset }) => opcode === 0x79 && src === 7 && offset === head);
    const [address, next, jump, set] = program.slice(read - 1);
    assert.deepEqual([address?.opcode, address?.dst, address?.value], [0x07, 8, head]); // r8 = file + offset of the list
    assert.deepEqual([next?.dst, jump?.opcode, jump?.dst, jump?.src, jump?.offset], [1, 0x1d, 1, 8, 1]);
    assert.deepEqual([set?.opcode, set?.offset, set?.value], [0x72, HELD_FIELD.inEpoll.offset - HELD_SIZE, 1]);
  }
});

test('timers are found under their old and their new names', () => {
  for (const without of [/icsk_keepalive_timer/, /icsk_timeout/, /icsk_retransmit_timer/])
    assert.deepEqual(heldSocketProgram(request(), kernel(without)).absent, []);
});

test('without what a report needs there is no program, and the reason names it', () => {
  for (const without of [/skc_state/, /rcv_tstamp/, /ns\.inum/, /tgid/])
    assert.throws(
      () => heldSocketProgram(request(), kernel(without)),
      (error) => error instanceof MissingType && without.test(error.message),
    );
});
