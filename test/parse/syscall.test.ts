import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/model/errors.ts';
import { parseSyscall } from '../../src/parse/syscall.ts';

const PATH = '/proc/812/task/812/syscall';
const parse = (text: string, arch = 'x64') => parseSyscall(text, arch, PATH);

/** Arguments, then stack pointer and program counter, as Linux 6.18 writes them. */
const line = (number: number, first: string, stack = '0x7ffd3c7e1b38'): string =>
  `${number} ${first} 0x7ffd3c7e1bd0 0x64 0x0 0x0 0x0 ${stack} 0x7f0e3a1c7a4a\n`;

test('a thread in recvfrom waits to receive on the descriptor of the first argument', () => {
  assert.deepEqual(parse(line(45, '0x9')), { call: 'recvfrom', kind: 'receive', fd: 9 });
});

test('the numbers are those of the architecture', () => {
  assert.deepEqual(parse(line(207, '0x9'), 'arm64'), { call: 'recvfrom', kind: 'receive', fd: 9 });
  assert.deepEqual(parse(line(45, '0x9'), 'arm64'), undefined);
  assert.equal(parse(line(45, '0x9'), 's390x'), undefined);
});

test('epoll_wait and accept4 have a descriptor, futex and poll have none', () => {
  assert.deepEqual(parse(line(232, '0x4')), { call: 'epoll_wait', kind: 'events', fd: 4 });
  assert.deepEqual(parse(line(288, '0x3')), { call: 'accept4', kind: 'accept', fd: 3 });
  assert.deepEqual(parse(line(202, '0x7f0e3a000b60')), { call: 'futex', kind: 'lock' });
  assert.deepEqual(parse(line(7, '0x7ffd3c7e1b38')), { call: 'poll', kind: 'events' });
});

test('a descriptor is an int, whatever the upper half of the register holds', () => {
  assert.equal(parse(line(0, '0xdeadbeef00000009'))?.fd, 9);
});

test('a thread that runs, is stopped outside of a call, or is in an unknown call waits for nothing that is known', () => {
  for (const text of ['running\n', '-1 0x7ffd3c7e1b38 0x7f0e3a1c7a4a\n', line(999, '0x0')])
    assert.equal(parse(text), undefined);
});

test('a 32-bit program has other numbers, so nothing is said of it', () => {
  assert.equal(parse(line(3, '0x9', '0xffd3c7e0')), undefined);
});

test('text that is no such line is a ParseError with the text', () => {
  for (const text of ['', 'recvfrom', '45', '45 9 9', '45 0x9']) {
    assert.throws(
      () => parse(text),
      (error) => error instanceof ParseError && error.message.includes(PATH),
    );
  }
});

test('arbitrary text gives a call, nothing, or a ParseError', () => {
  const words = fc.array(fc.oneof(fc.constantFrom('45', '0x9', '-1', 'running', '0x7ffd3c7e1b38'), fc.string()), {
    maxLength: 10,
  });
  fc.assert(
    fc.property(words, (all) => {
      try {
        parse(all.join(' '));
      } catch (error) {
        assert.ok(error instanceof ParseError);
      }
    }),
  );
});
