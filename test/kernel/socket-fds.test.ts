import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CompactSocketFds } from '../../src/kernel/socket-fds.ts';

test('it answers like a map of lists, in whatever order descriptors are added', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(99))), (added) => {
      const compact = new CompactSocketFds();
      const plain = new Map<number, number[]>();
      for (const [inode, fd] of added) {
        compact.add(inode, fd);
        plain.set(inode, [...(plain.get(inode) ?? []), fd]);
      }
      assert.equal(compact.size, plain.size);
      assert.deepEqual([...compact.keys()], [...plain.keys()]);
      for (let inode = 0; inode < 10; inode++) {
        assert.equal(compact.has(inode), plain.has(inode));
        assert.deepEqual(compact.get(inode), plain.get(inode));
      }
    }),
  );
});
