import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { endOfEqual, endOfRun, NumberList, nextWith } from '../../src/model/runs.ts';

const few = fc.array(fc.nat(2), { minLength: 1, maxLength: 30 }).map((values) => Uint32Array.from(values));

test('runs of equal values cover a column without a gap, and no two beside each other are equal', () => {
  fc.assert(
    fc.property(few, (column) => {
      const rows = Uint32Array.from(column.keys()).reverse();
      let before: number | undefined;
      for (let from = 0, to = 0; from < rows.length; from = to) {
        to = endOfRun(column, rows, from, rows.length);
        const values = new Set([...rows.subarray(from, to)].map((row) => column[row]));
        const [value] = values;
        assert.ok(to > from && values.size === 1 && value !== before);
        before = value;
        assert.equal(to, endOfEqual(column.slice().reverse(), from, rows.length));
      }
    }),
  );
});

test('a run ends where it must at the latest', () => {
  const same = new Uint32Array(9);
  assert.equal(endOfRun(same, Uint32Array.from(same.keys()), 2, 5), 5);
  assert.equal(endOfEqual(same, 2, 5), 5);
});

test('the next row with a value is found as a list finds it', () => {
  fc.assert(
    fc.property(few, fc.nat(3), fc.nat(5), (column, value, from) => {
      const rows = Uint32Array.from(column.keys());
      const place = column.indexOf(value, from);
      const end = Math.max(from, column.length);
      assert.equal(nextWith(value, column, rows, from, column.length), place < 0 ? end : place);
    }),
  );
});

test('a list that grows by pieces and single numbers has them in their order', () => {
  const long = fc.integer({ min: 1, max: 200 }).map((length) => Uint32Array.from({ length }, (_, i) => i * 7));
  fc.assert(
    fc.property(fc.array(fc.oneof(few, long), { maxLength: 6 }), fc.nat(40), (pieces, expected) => {
      const list = new NumberList(expected);
      for (const piece of pieces) {
        list.add(piece);
        list.push(piece.length);
        list.add(piece, piece.length >> 1, piece.length);
      }
      const all = pieces.flatMap((it) => [...it, it.length, ...it.subarray(it.length >> 1)]);
      assert.deepEqual([[...list.numbers], list.length], [all, all.length]);
    }),
  );
});
