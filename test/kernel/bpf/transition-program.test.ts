import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELPER } from '../../../src/kernel/bpf/assembler.ts';
import { type MemberOf, MissingType } from '../../../src/kernel/bpf/program.ts';
import { transitionProgram } from '../../../src/kernel/bpf/transition-program.ts';

const CALL = 0x85;
const SIZE = 8;

const memberOf: MemberOf = (_struct, path) => ({ offset: 8 * path.length, size: 8 });

function called(program: Uint8Array): number[] {
  const view = new DataView(program.buffer);
  const helpers: number[] = [];
  for (let at = 0; at < program.length; at += SIZE)
    if (view.getUint8(at) === CALL) helpers.push(view.getInt32(at + 4, true));
  return helpers;
}

test('the program writes to the ring, and asks for the process where its number means something', () => {
  assert.deepEqual(called(transitionProgram({ ring: 7, withPids: true }, memberOf)), [
    HELPER.get_current_pid_tgid,
    HELPER.ringbuf_output,
  ]);
  assert.deepEqual(called(transitionProgram({ ring: 7, withPids: false }, memberOf)), [HELPER.ringbuf_output]);
});

test('the ring is named by its descriptor, in an instruction of two', () => {
  const hex = Buffer.from(transitionProgram({ ring: 7, withPids: false }, memberOf)).toString('hex');
  assert.ok(hex.includes('18110000070000000000000000000000'), hex);
});

test('a kernel without one of the fields is told apart from a fault', () => {
  for (const missing of ['sk_protocol', 'sk_socket', 'file', 'f_inode', 'i_ino'])
    assert.throws(
      () =>
        transitionProgram({ ring: 7, withPids: true }, (s, path) => (path === missing ? undefined : memberOf(s, path))),
      MissingType,
    );
});
