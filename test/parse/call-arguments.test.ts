import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Pieces, placesOf, readArguments } from '../../src/parse/call-arguments.ts';
import { type Meaning, meaningOf, type RawCall } from '../../src/parse/syscall.ts';

const raw = (number: number, ...args: (number | bigint)[]): RawCall => ({
  number,
  arguments: Array.from({ length: 6 }, (_, i) => BigInt(args[i] ?? 0)),
  stack: 0x7ffd_3c7e_1b38n,
});
const understood = (call: RawCall): Meaning => {
  const meaning = meaningOf(call, 'x64');
  assert.ok(meaning);
  return meaning;
};
const said = (call: RawCall, pieces: Pieces = { files: [] }) => readArguments(understood(call), call, pieces);

/** struct pollfd: descriptor, events, what came. */
const pollfds = (...entries: [fd: number, events: number][]): Uint8Array => {
  const bytes = Buffer.alloc(entries.length * 8);
  entries.forEach(([fd, events], i) => {
    bytes.writeInt32LE(fd, i * 8);
    bytes.writeUInt16LE(events, i * 8 + 4);
  });
  return bytes;
};
const time = (seconds: number, part: number): Uint8Array => {
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64LE(BigInt(seconds), 0);
  bytes.writeBigInt64LE(BigInt(part), 8);
  return bytes;
};

const POLLIN = 1;
const POLLOUT = 4;
const FOREVER = 0xffff_ffff;

test('poll has its descriptors in memory, and its limit in milliseconds as an argument', () => {
  const call = raw(7, 0x7f00_0000_1000n, 3, 5000);
  assert.deepEqual(placesOf(understood(call), call), { files: [{ address: 0x7f00_0000_1000n, length: 24 }] });
  const bytes = pollfds([9, POLLIN], [-1, POLLIN], [12, POLLIN | POLLOUT]);
  assert.deepEqual(said(call, { files: [bytes] }), {
    files: [
      { fd: 9, for: 'read' },
      { fd: 12, for: 'both' },
    ],
    timeoutMs: 5000,
  });
});

test('a limit below zero, or no pointer to one, is none', () => {
  assert.deepEqual(said(raw(7, 0x1000, 0, FOREVER), { files: [new Uint8Array()] }), { files: [], forever: true });
  assert.deepEqual(said(raw(271, 0x1000, 0, 0), { files: [new Uint8Array()] }), { files: [], forever: true });
  assert.deepEqual(said(raw(232, 4, 0x2000, 64, FOREVER)), { forever: true });
});

test('ppoll has its limit in a timespec, select in a timeval', () => {
  const ppoll = raw(271, 0x1000, 1, 0x3000);
  assert.deepEqual(placesOf(understood(ppoll), ppoll).time, { address: 0x3000n, length: 16 });
  const pieces = { files: [pollfds([5, POLLOUT])], time: time(2, 500_000_000) };
  assert.deepEqual(said(ppoll, pieces), { files: [{ fd: 5, for: 'write' }], timeoutMs: 2500 });
  const select = raw(23, 8, 0, 0, 0, 0x3000);
  const empty = [new Uint8Array(), new Uint8Array(), new Uint8Array()];
  assert.equal(said(select, { files: empty, time: time(0, 250_000) }).timeoutMs, 250);
});

test('select has three sets of bits, of which null stands for an empty one', () => {
  const call = raw(23, 70, 0x1000, 0, 0x2000, 0);
  assert.deepEqual(
    placesOf(understood(call), call).files.map(({ length }) => length),
    [16, 0, 16],
  );
  const [reading, writing, exceptions] = [new Uint8Array(16), new Uint8Array(0), new Uint8Array(16)];
  reading[0] = 1 << 5;
  exceptions[8] = 1 << 5;
  exceptions[9] = 1; // 72, behind the number that was given
  assert.deepEqual(said(call, { files: [reading, writing, exceptions] }), {
    files: [
      { fd: 5, for: 'read' },
      { fd: 69, for: 'read' },
    ],
    forever: true,
  });
});

test('what could not be read in memory is not known, which is not the same as nothing', () => {
  assert.deepEqual(said(raw(7, 0x1000, 3, 100), { files: [undefined] }), { timeoutMs: 100 });
  assert.deepEqual(said(raw(271, 0x1000, 3, 0x2000), { files: [undefined] }), {});
  assert.deepEqual(said(raw(271, 0x1000, 1, 0x2000), { files: [], time: time(-1, 0) }), {});
});

test('a futex is a word; a point in time until which it waits tells no length of time', () => {
  const wait = raw(202, 0x7f00_0000_2000n, 0x80, 2, 0);
  const futex = { address: 0x7f00_0000_2000n, kind: 'wait', expected: 2 };
  assert.deepEqual(said(wait), { forever: true, futex });
  const until = raw(202, 0x7f00_0000_2000n, 0x189, 2, 0x3000);
  assert.equal(placesOf(understood(until), until).time, undefined);
  assert.deepEqual(said(until), { futex });
  assert.equal(said(raw(202, 0x1000, 0x86)).futex?.kind, 'priority-inheritance');
  assert.equal(said(raw(202, 0x1000, 0x81)).futex, undefined); // FUTEX_WAKE
});

test('a sleep has its length in memory, unless it is until a point in time', () => {
  const sleep = raw(230, 1, 0, 0x3000);
  assert.deepEqual(said(sleep, { files: [], time: time(30, 0) }), { timeoutMs: 30_000 });
  const until = raw(230, 1, 1, 0x3000);
  assert.equal(placesOf(understood(until), until).time, undefined);
});

test('any registers ask for bounded memory, and any memory is understood or left out', () => {
  const word = fc.bigInt(0n, 2n ** 64n - 1n);
  const call = fc.record({
    number: fc.constantFrom(7, 23, 35, 202, 230, 232, 270, 271, 281, 441, 45, 73),
    arguments: fc.array(word, { minLength: 6, maxLength: 6 }),
    stack: fc.constant(0x7ffd_3c7e_1b38n),
  });
  const bytes = fc.option(fc.uint8Array({ maxLength: 600 }), { nil: undefined });
  fc.assert(
    fc.property(call, fc.array(bytes, { maxLength: 3 }), bytes, (it, files, timeBytes) => {
      const meaning = understood(it);
      for (const { length } of placesOf(meaning, it).files) assert.ok(length <= 32_768);
      const answer = readArguments(meaning, it, { files, time: timeBytes });
      for (const { fd } of answer.files ?? []) assert.ok(fd >= 0);
      assert.ok((answer.timeoutMs ?? 0) >= 0);
    }),
  );
});
