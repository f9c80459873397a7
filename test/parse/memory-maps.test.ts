import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseMaps } from '../../src/parse/memory-maps.ts';

const TEXT = `55d0a1c00000-55d0a1c6e000 r--p 00000000 fe:01 2230                       /usr/bin/python3.11
7f1e30000000-7f1e30021000 rw-p 00000000 00:00 0
7f1e3506c000-7f1e350a0000 r-xp 00034000 fe:01 99                         /srv/my app/libpython3.12.so.1.0 (deleted)
7ffd4f0c2000-7ffd4f0e3000 rw-p 00000000 00:00 0                          [stack]
`;

test('mappings have their addresses, and the file where there is one', () => {
  assert.deepEqual(parseMaps(TEXT, 'maps'), [
    { start: 0x55d0a1c00000, end: 0x55d0a1c6e000, offset: 0, inode: 2230, path: '/usr/bin/python3.11' },
    { start: 0x7f1e30000000, end: 0x7f1e30021000, offset: 0, inode: 0 },
    {
      start: 0x7f1e3506c000,
      end: 0x7f1e350a0000,
      offset: 0x34000,
      inode: 99,
      path: '/srv/my app/libpython3.12.so.1.0 (deleted)',
    },
    { start: 0x7ffd4f0c2000, end: 0x7ffd4f0e3000, offset: 0, inode: 0, path: '[stack]' },
  ]);
});

test('a line that is no mapping costs no other, and any text is taken', () => {
  assert.equal(parseMaps(`what\n${TEXT}`, 'maps').length, 4);
  fc.assert(fc.property(fc.string({ maxLength: 300 }), (text) => Array.isArray(parseMaps(text, 'maps'))));
});
