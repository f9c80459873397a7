import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Passes } from '../../../src/app/watch/passes.ts';

const nothing = (): boolean => false;

test('a connection that came and went between two looks has passed through the one that closed it', () => {
  const passes = new Passes();
  passes.entered(0xffff, 7);
  passes.left(0xffff, 812);
  assert.deepEqual(passes.atLook(nothing), new Map([[812, 1]]));
  assert.deepEqual(passes.atLook(nothing), new Map());
});

test('what a look has seen has not passed through, whenever it leaves', () => {
  const passes = new Passes();
  passes.entered(1, 7);
  assert.deepEqual(
    passes.atLook((inode) => inode === 7),
    new Map(),
  );
  passes.left(1, 812);
  assert.deepEqual(passes.atLook(nothing), new Map());
});

test('what entered before a look that did not show it, and left after it, has passed', () => {
  const passes = new Passes();
  passes.entered(1, 7);
  assert.deepEqual(passes.atLook(nothing), new Map());
  passes.left(1, 812);
  assert.deepEqual(passes.atLook(nothing), new Map([[812, 1]]));
});

test('after churn alone what a look has seen is still all there is', () => {
  const passes = new Passes();
  assert.equal(passes.areAllGone, true);
  passes.entered(1, 7);
  assert.equal(passes.areAllGone, false);
  passes.left(1, 812);
  assert.equal(passes.areAllGone, true);
  passes.entered(2, 8);
  passes.atLook(nothing);
  assert.equal(passes.areAllGone, false, 'it came, and the look did not show it');
  passes.left(2, 812);
  assert.equal(passes.areAllGone, true);
  passes.left(3, 812);
  assert.equal(passes.areAllGone, false, 'one that an earlier look has seen is gone');
  passes.atLook(nothing);
  assert.equal(passes.areAllGone, true);
});

test('an exit without its entry says nothing', () => {
  const passes = new Passes();
  passes.left(1, 812);
  assert.deepEqual(passes.atLook(nothing), new Map());
});

test('an address that is used again is another connection each time', () => {
  const passes = new Passes();
  for (const inode of [7, 8, 9]) {
    passes.entered(1, inode);
    passes.left(1, 812);
  }
  assert.deepEqual(passes.atLook(nothing), new Map([[812, 3]]));
});

test('together with the comparison of looks, every connection is counted once', () => {
  // Each connection enters at one time and leaves at a later one; looks are at every tenth.
  const connections = fc.array(fc.tuple(fc.nat(99), fc.integer({ min: 1, max: 60 })), { maxLength: 40 });
  fc.assert(
    fc.property(connections, (list) => {
      const passes = new Passes();
      let [counted, shown] = [0, new Set<number>()];
      for (let time = 0; time < 200; time++) {
        list.forEach(([entry, stay], index) => {
          if (entry === time) passes.entered(index, index + 1);
          if (entry + stay === time) passes.left(index, 1);
        });
        if (time % 10 !== 9) continue;
        const now = new Set(
          list.flatMap(([entry, stay], index) => (entry <= time && time < entry + stay ? index + 1 : [])),
        );
        counted += [...now].filter((inode) => !shown.has(inode)).length;
        for (const count of passes.atLook((inode) => now.has(inode)).values()) counted += count;
        shown = now;
      }
      assert.equal(counted, list.length);
    }),
  );
});
