import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { evenRanges } from '../../src/kernel/fd-ranges.ts';

test('ranges begin at 0, follow each other, and end nowhere', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(100_000), { maxLength: 50 }), fc.integer({ min: 1, max: 8 }), (counts, parts) => {
      const ranges = evenRanges(counts, parts);
      assert.ok(ranges.length >= 1 && ranges.length <= parts);
      assert.equal(ranges[0]?.from, 0);
      ranges.forEach(({ from, to }, i) => {
        assert.equal(to, ranges[i + 1]?.from);
        assert.ok(to === undefined || to > from);
      });
    }),
  );
});

test('each has its share of the descriptors, but for one of each process', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(100_000), { minLength: 1, maxLength: 50 }),
      fc.integer({ min: 1, max: 8 }),
      (counts, parts) => {
        const all = counts.reduce((sum, count) => sum + count, 0);
        const within = (from: number, to = Number.POSITIVE_INFINITY): number =>
          counts.reduce((sum, count) => sum + Math.max(0, Math.min(count, to) - from), 0);
        const ranges = evenRanges(counts, parts);
        if (ranges.length === parts)
          for (const { from, to } of ranges) assert.ok(within(from, to) <= all / parts + counts.length);
      },
    ),
  );
});

test('without descriptors there is one range', () => {
  assert.deepEqual(evenRanges([], 4), [{ from: 0 }]);
  assert.deepEqual(evenRanges([0, 0], 4), [{ from: 0 }]);
});
