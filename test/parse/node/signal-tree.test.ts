import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError, SystemError } from '../../../src/model/errors.ts';
import { watchedSignals } from '../../../src/parse/node/signal-tree.ts';

const ROOT = 0x600000;

/** Memory with the word `root` points to, and uv_signal_t structures by their address. */
function memory(
  first: number,
  handles: Record<number, { signal: number; left?: number; right?: number; type?: number }>,
) {
  return (address: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    if (address === ROOT) {
      view.setBigUint64(0, BigInt(first), true);
      return bytes;
    }
    const handle = handles[address];
    if (!handle) throw new SystemError('EIO', 'read /proc/1/mem');
    view.setUint32(16, handle.type ?? 16, true);
    view.setInt32(104, handle.signal, true);
    view.setBigUint64(112, BigInt(handle.left ?? 0), true);
    view.setBigUint64(120, BigInt(handle.right ?? 0), true);
    return bytes;
  };
}

test('a program without handlers watches no signal', () => {
  assert.deepEqual(watchedSignals(memory(0, {}), ROOT), new Set());
});

test('every handler in the tree is found', () => {
  const read = memory(0x1000, {
    4096: { signal: 12, left: 0x2000, right: 0x3000 },
    8192: { signal: 2 },
    12288: { signal: 15, left: 0x4000 },
    16384: { signal: 10 },
  });
  assert.deepEqual([...(watchedSignals(read, ROOT) ?? [])].sort(), [10, 12, 15, 2].sort());
});

test('what is no tree of signal handlers tells nothing', () => {
  assert.equal(watchedSignals(memory(0x1000, { 4096: { signal: 10, type: 13 } }), ROOT), undefined);
  assert.equal(watchedSignals(memory(0x1000, { 4096: { signal: 99 } }), ROOT), undefined);
  assert.equal(watchedSignals(memory(0x1001, {}), ROOT), undefined);
  assert.equal(watchedSignals(memory(2 ** 50, {}), ROOT), undefined);
});

test('a circle ends', () => {
  const read = memory(0x1000, { 4096: { signal: 10, left: 0x2000 }, 8192: { signal: 2, right: 0x1000 } });
  assert.equal(watchedSignals(read, ROOT), undefined);
});

test('arbitrary memory gives an answer', () => {
  const word = fc.oneof(fc.constantFrom(0, 0x1000, 0x2000, 0x3000), fc.nat());
  const handle = fc.record({
    signal: fc.integer({ min: -1, max: 70 }),
    left: word,
    right: word,
    type: fc.constantFrom(16, 0),
  });
  fc.assert(
    fc.property(word, handle, handle, handle, (first, a, b, c) => {
      try {
        watchedSignals(memory(first, { 4096: a, 8192: b, 12288: c }), ROOT);
      } catch (error) {
        assert.ok(error instanceof SystemError);
      }
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        watchedSignals(() => bytes, ROOT);
      } catch (error) {
        assert.ok(error instanceof ParseError);
      }
    }),
  );
});
