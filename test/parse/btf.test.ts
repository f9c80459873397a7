import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { ParseError } from '../../src/model/errors.ts';
import { Btf } from '../../src/parse/btf.ts';

// Written by GCC from fixtures/btf/types.c, which says how.
const BYTES = new Uint8Array(readFileSync(fileURLToPath(new URL('../../fixtures/btf/types.btf', import.meta.url))));
const NAMES = ['outer', 'inner', 'colour', 'u32', 'nowhere'];

// offsetof and sizeof, printed by a C program compiled from the same file on x86-64.
const MEMBERS: [string, number, number][] = [
  ['first', 0, 1],
  ['port', 2, 2],
  ['address', 4, 4],
  ['words', 8, 16],
  ['owner.val', 24, 4],
  ['within.letter', 32, 1],
  ['within.hidden', 40, 4],
  ['within.deeper', 44, 4],
  ['within.both', 40, 8],
  ['next', 48, 8],
  ['there', 56, 8],
  ['colour', 64, 4],
  ['call', 72, 8],
  ['tail', 80, 8],
];

test('members are where a C compiler puts them, through typedefs, qualifiers and members without a name', () => {
  const btf = new Btf(BYTES, NAMES);
  for (const [path, offset, size] of MEMBERS) assert.deepEqual(btf.member('outer', path), { offset, size }, path);
});

test('bit fields, members that are not there, and types that were not asked for have no place', () => {
  const btf = new Btf(BYTES, NAMES);
  for (const path of ['flag', 'rest', 'nothing', 'within.nothing', 'first.deeper', 'next.port', ''])
    assert.equal(btf.member('outer', path), undefined, path);
  assert.equal(btf.member('nowhere', 'port'), undefined);
  assert.equal(new Btf(BYTES, ['inner']).member('outer', 'port'), undefined);
});

test('types are numbered, and enumerators have values', () => {
  const btf = new Btf(BYTES, NAMES);
  const id = btf.id('typedef', 'u32');
  assert.ok(id !== undefined && id > 0);
  assert.equal(btf.id('struct', 'u32'), undefined);
  assert.equal(btf.id('func', 'outer'), undefined);
  assert.equal(btf.enumerator('GREEN', 'colour'), 7);
  assert.equal(btf.enumerator('BLUE', 'colour'), 8);
  assert.equal(btf.enumerator('PINK', 'colour'), undefined);
});

test('bytes at an odd place are read too', () => {
  const shifted = new Uint8Array(BYTES.length + 1);
  shifted.set(BYTES, 1);
  assert.deepEqual(new Btf(shifted.subarray(1), NAMES).member('outer', 'tail'), { offset: 80, size: 8 });
});

/** Everything that is asked of a kernel's types. */
function ask(bytes: Uint8Array): void {
  try {
    const btf = new Btf(bytes, NAMES);
    for (const [path] of MEMBERS) btf.member('outer', path);
    btf.id('typedef', 'u32');
    btf.enumerator('GREEN', 'colour');
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
  }
}

test('a file that is cut short, or broken anywhere, gives answers or a parse error', () => {
  for (let length = 0; length < BYTES.length; length++) ask(BYTES.subarray(0, length));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(BYTES.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      (changes) => {
        const broken = BYTES.slice();
        for (const [at, value] of changes) broken[at] = value;
        ask(broken);
      },
    ),
    { numRuns: 2000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), ask));
});

test('a struct that is made of itself ends', () => {
  // A header, then one struct of number 1 named "outer" whose only member has no name and is of type 1.
  const strings = '\0outer\0';
  const words = [0x0001_eb9f, 24, 0, 24, 24, strings.length, 1, 0x0400_0001, 8, 0, 1, 0];
  const bytes = new Uint8Array(words.length * 4 + strings.length);
  words.forEach((word, index) => {
    new DataView(bytes.buffer).setUint32(index * 4, word, true);
  });
  bytes.set(Buffer.from(strings), words.length * 4);
  assert.equal(new Btf(bytes, NAMES).member('outer', 'anything'), undefined);
});
