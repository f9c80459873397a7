import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError, SystemError } from '../../../src/model/errors.ts';
import { LAYOUTS } from '../../../src/parse/python/layouts.ts';
import { walkObjects } from '../../../src/runtimes/python/collector.ts';
import {
  attributes,
  entries,
  type Heap,
  integer,
  items,
  members,
  text,
  typeOf,
} from '../../../src/runtimes/python/heap.ts';
import type { ReadableMemory } from '../../../src/runtimes/python/memory.ts';
import { references } from '../../../src/runtimes/python/references.ts';
import { readReferrers } from '../../../src/runtimes/python/referrers.ts';
import { readSockets } from '../../../src/runtimes/python/sockets.ts';
import { readTask } from '../../../src/runtimes/python/tasks.ts';
import { namedThreads } from '../../../src/runtimes/python/thread-names.ts';
import { interpreters, readStack, threadsOf } from '../../../src/runtimes/python/threads.ts';

// Memory in which almost every pointer leads somewhere, and nothing is what it should be: every reader must come to an end, with
// an answer or with an error that was to be expected.

const BASE = 0x10000;

function memoryOf(words: number[]): ReadableMemory {
  const bytes = new Uint8Array(words.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of words.entries()) view.setBigUint64(i * 8, BigInt(word), true);
  const at = (address: number, size: number): number => {
    const offset = address - BASE;
    if (!(offset >= 0 && offset + size <= bytes.length)) throw new SystemError('EIO', 'read');
    return offset;
  };
  const memory = {
    u64: (address: number) => Number(view.getBigUint64(at(address, 8), true)),
    u32: (address: number) => view.getUint32(at(address, 4), true),
    s32: (address: number) => view.getInt32(at(address, 4), true),
    u8: (address: number) => bytes[at(address, 1)] ?? 0,
    read: (address: number, length: number) => bytes.slice(at(address, length), at(address, length) + length),
    cString: (address: number, most: number) => {
      const end = bytes.indexOf(0, at(address, 1));
      return String.fromCharCode(
        ...bytes.slice(address - BASE, Math.min(end < 0 ? bytes.length : end, address - BASE + most)),
      );
    },
    forget: () => {},
  };
  return memory;
}

const WORDS = 2048;
const pointer = fc.nat(WORDS - 1).map((word) => BASE + word * 8);
const word = fc.oneof(
  { weight: 8, arbitrary: pointer },
  { weight: 2, arbitrary: fc.nat(64) },
  { weight: 1, arbitrary: fc.maxSafeNat() },
  // Names of types that open further doors: "dict", "str", "list", "set", "cell".
  { weight: 2, arbitrary: fc.constantFrom(0x74636964, 0x727473, 0x7473696c, 0x746573, 0x6c6c6563) },
);
const anyHeap = fc.record({
  words: fc.array(word, { minLength: WORDS, maxLength: WORDS }),
  minor: fc.constantFrom(...Object.keys(LAYOUTS).map(Number)),
  start: pointer,
});

function expected(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof ParseError || error instanceof SystemError)) throw error;
  }
}

const take = (all: Iterable<unknown>): number => [...all].length;

test('readers of objects end on any memory, with an answer or an expected error', () => {
  fc.assert(
    fc.property(anyHeap, ({ words, minor, start }) => {
      const heap: Heap = { memory: memoryOf(words), layout: LAYOUTS[minor] ?? assert.fail(), types: new Map() };
      const began = performance.now();
      expected(() => text(heap, start));
      expected(() => integer(heap, start));
      expected(() => assert.ok(take(entries(heap, start, 500)) <= 500));
      expected(() => assert.ok(take(items(heap, start, typeOf(heap, start), 500)) <= 500));
      expected(() => assert.ok(take(members(heap, start, 500)) <= 500));
      expected(() => take(attributes(heap, start, typeOf(heap, start), 500)));
      expected(() => take(references(heap, start)));
      expected(() => readSockets(heap, [start], () => true));
      expected(() => readTask(heap, new Map(), start));
      expected(() => namedThreads(heap, start));
      assert.ok(performance.now() - began < 5000);
    }),
    { numRuns: 150 },
  );
});

test('walks through threads, frames and lists of objects end on any memory', () => {
  fc.assert(
    fc.property(anyHeap, ({ words, minor, start }) => {
      const heap: Heap = { memory: memoryOf(words), layout: LAYOUTS[minor] ?? assert.fail(), types: new Map() };
      expected(() => interpreters(heap, start));
      expected(() => threadsOf(heap, start));
      expected(() => readStack(heap, start, () => undefined));
      const bounds = { objects: 2000, until: performance.now() + 10, now: () => performance.now() };
      expected(() => {
        const walk = walkObjects(heap, start, { ...bounds, signal: new AbortController().signal }, () => {});
        assert.ok(walk.objects <= 2000);
      });
      const limits = { objects: 500, until: performance.now() + 10, now: () => performance.now() };
      expected(() => readReferrers(heap, new Set([start + 16]), [], [start], limits));
    }),
    { numRuns: 150 },
  );
});

/** A list of the collector: heads and objects by address, each with the next one and the one before. */
function collectorOf(lists: number[][], most = 100_000, change: (memory: Map<number, number>) => void = () => {}) {
  const layout = LAYOUTS[11] ?? assert.fail();
  const collector = BASE;
  const { generations, generationSize, permanent } = layout.gc;
  const heads = [0, 1, 2].map((i) => collector + generations + i * generationSize);
  heads.push(collector + permanent);
  const words = new Map<number, number>();
  lists.forEach((objects, i) => {
    const head = heads[i] ?? assert.fail();
    const ring = [head, ...objects.map((index) => BASE + 0x1000 + index * 0x40)];
    ring.forEach((at, j) => {
      words.set(at, ring[(j + 1) % ring.length] ?? 0);
      words.set(at + 8, ring[(j - 1 + ring.length) % ring.length] ?? 0);
    });
  });
  change(words);
  const all = Array.from({ length: WORDS }, (_, i) => words.get(BASE + i * 8) ?? 0);
  const heap: Heap = { memory: memoryOf(all), layout, types: new Map([[0, TYPE]]) };
  const bounds = { objects: most, until: performance.now() + 5000, now: () => performance.now() };
  const seen: number[] = [];
  const signal = new AbortController().signal;
  const walk = walkObjects(heap, collector, { ...bounds, signal }, (object) => {
    seen.push((object - 16 - BASE - 0x1000) / 0x40);
  });
  return { walk, seen };
}

const TYPE = { address: 0, name: 'object', flags: 0, basicSize: 16, dictOffset: 0, bases: [] };

test('every object of all generations is seen, those that are kept for ever too', () => {
  const { walk, seen } = collectorOf([[1, 2], [3], [4, 5, 6], [7]]);
  assert.deepEqual(walk, { objects: 7, complete: true });
  assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7]);
});

test('a list with a neighbour that does not point back is not complete', () => {
  const broken = BASE + 0x1000 + 5 * 0x40;
  const { walk } = collectorOf([[1], [], [4, 5, 6], []], 100_000, (words) => words.set(broken + 8, 0));
  assert.equal(walk.complete, false);
  assert.equal(walk.reason, 'changing');
});

test('more objects than one wants to see end the walk, and that is said', () => {
  const { walk, seen } = collectorOf([[1, 2], [3], [4, 5, 6], []], 4);
  assert.deepEqual(walk, { objects: 4, complete: false, reason: 'bounds' });
  assert.deepEqual(seen, [1, 2, 3, 4]);
});
