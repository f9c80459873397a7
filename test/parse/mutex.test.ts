import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FutexArguments } from '../../src/parse/call-arguments.ts';
import { mutexOwner } from '../../src/parse/mutex.ts';
import type { RawCall } from '../../src/parse/syscall.ts';

// lock, count, owner, users, kind: as glibc 2.36 had them, held by thread 4711 while another one waits.
const mutex = (lock = 2, count = 0, owner = 4711, users = 1, kind = 0): Uint8Array => {
  const bytes = Buffer.alloc(20);
  [lock, count, owner, users, kind].forEach((value, i) => {
    bytes.writeUInt32LE(value >>> 0, i * 4);
  });
  return bytes;
};

const call = (operation: number): RawCall => ({
  number: 202,
  arguments: [0x7f00_0000_2000n, BigInt(operation), 2n, 0n, 0n, 0n],
  stack: 0x7ffd_3c7e_1b38n,
});
const WAIT: FutexArguments = { address: 0x7f00_0000_2000n, kind: 'wait', expected: 2 };
const owner = (bytes: Uint8Array, operation = 128, futex = WAIT) => mutexOwner(bytes, call(operation), futex);

test('a held mutex of glibc says which thread has it', () => {
  assert.equal(owner(mutex()), 4711);
  assert.equal(owner(mutex(2, 3, 4711, 1, 1)), 4711); // recursive, taken three times
});

test('what is no held mutex has no owner: another operation, value, count or kind', () => {
  assert.equal(owner(mutex(), 0x189), undefined); // a condition of glibc, or a lock of Rust
  assert.equal(owner(mutex(1)), undefined);
  assert.equal(owner(mutex(), 128, { ...WAIT, expected: 0 }), undefined);
  assert.equal(owner(mutex(2, 1)), undefined);
  assert.equal(owner(mutex(2, 0, 4711, 0)), undefined);
  assert.equal(owner(mutex(2, 0, 4711, 1, 0x7f5e)), undefined);
  assert.equal(owner(mutex(2, 0, 0)), undefined);
});

test('the kernel itself must know the owner of a lock with priority inheritance', () => {
  const futex: FutexArguments = { ...WAIT, kind: 'priority-inheritance', expected: 0 };
  assert.equal(owner(mutex(0x8000_0000 + 4711), 134, futex), 4711);
  assert.equal(owner(mutex(0), 134, futex), undefined);
});

test('any bytes have an owner that can be a thread, or none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(200), (bytes, operation) => {
      const found = owner(bytes, operation);
      assert.ok(found === undefined || (found > 0 && found < 2 ** 30));
    }),
  );
});
