import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseStackTop, parseWchan } from '../../src/parse/kernel-function.ts';

test('wchan is the name of a function, or says nothing', () => {
  assert.equal(parseWchan('rpc_wait_bit_killable'), 'rpc_wait_bit_killable');
  assert.equal(parseWchan('do_wait.isra.0\n'), 'do_wait');
  for (const nothing of ['0', '', '\n', '-1']) assert.equal(parseWchan(nothing), undefined);
});

// Linux 6.18
const STACK = '[<0>] kernel_clone+0x283/0x3e0\n[<0>] __do_sys_vfork+0x45/0x60\n[<0>] do_syscall_64+0x7f/0x1b0\n';

test('the first line of a stack is the innermost function, of a module too', () => {
  assert.equal(parseStackTop(STACK), 'kernel_clone');
  assert.equal(parseStackTop('[<0>] nfs_wait_bit_killable+0x1e/0xa0 [nfs]\n'), 'nfs_wait_bit_killable');
  for (const nothing of ['', '\n', '[<0>] ', '[<0>] 0xffffffffffffffff\n'])
    assert.equal(parseStackTop(nothing), undefined);
});

test('whatever the text is, a name comes out of it or nothing', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const name of [parseWchan(text), parseStackTop(text)]) assert.match(name ?? 'none', /^[A-Za-z_]\w*$/);
    }),
  );
});
