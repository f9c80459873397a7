import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InodeMap } from '../../src/model/inode-map.ts';

const inode = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 0xffffffff }));

test('it answers like a Map in which the first value stays', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(inode, fc.nat(0xffffffff)), { maxLength: 200 }), fc.array(inode), (added, asked) => {
      const ours = new InodeMap();
      const plain = new Map<number, number>();
      for (const [key, value] of added) {
        assert.equal(ours.add(key, value), plain.get(key) ?? -1);
        if (!plain.has(key)) plain.set(key, value);
      }
      assert.equal(ours.size, plain.size);
      for (const key of [...plain.keys(), ...asked]) {
        assert.equal(ours.get(key), plain.get(key) ?? -1);
        assert.equal(ours.has(key), plain.has(key));
      }
    }),
  );
});

test('100,000 neighbours, and 100,000 that lie apart by a power of two, are found without long searches', () => {
  for (const step of [1, 16, 4096]) {
    const map = new InodeMap();
    const begun = performance.now();
    for (let n = 1; n <= 100_000; n++) map.add(n * step, n);
    for (let n = 1; n <= 100_000; n++) assert.equal(map.get(n * step), n);
    assert.ok(performance.now() - begun < 5000, `step ${step}`);
  }
});
