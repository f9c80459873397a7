import assert from 'node:assert/strict';
import { closeSync, openSync, readSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { elfImports, elfSymbol } from '../../src/parse/elf-symbols.ts';
import { onlyParseErrors } from '../helpers/bytes.ts';
import { elf, reader, SECTIONS_AT, SYMBOLS_AT, type Sym } from '../helpers/elf.ts';

const withSymbols = ({ full, dynamic }: { full?: Sym[]; dynamic?: Sym[] }): Uint8Array =>
  elf([
    ...(full ? [{ type: 2 as const, name: '.symtab', symbols: full }] : []),
    ...(dynamic ? [{ type: 11 as const, name: '.dynsym', symbols: dynamic }] : []),
  ]);

const find = (bytes: Uint8Array, name = 'wanted') => elfSymbol(reader(bytes), name);
const OTHERS = [
  { name: 'wanted_too', value: 1n },
  { name: 'unwanted', value: 2n },
];

test('a symbol is found among others by its whole name, in the full table', () => {
  const bytes = withSymbols({ full: [...OTHERS, { name: 'wanted', value: 0x404040n, size: 16n }] });
  assert.deepEqual(find(bytes), { address: 0x404040, size: 16 });
});

test('a name that is the end of another one is a name of its own', () => {
  const bytes = withSymbols({ full: [{ name: 'unwanted', value: 1n }] });
  assert.equal(find(bytes), undefined);
  new DataView(bytes.buffer).setUint32(SYMBOLS_AT, 3, true); // st_name: into "unwanted"
  assert.equal(find(bytes)?.address, 1);
});

test('a number that a compiler put behind the name of a static variable does not hide it', () => {
  assert.equal(find(withSymbols({ full: [...OTHERS, { name: 'wanted.0', value: 5n }] }))?.address, 5);
});

test('the dynamic table is asked where there is no full one, and no symbol that is only imported counts', () => {
  assert.equal(find(withSymbols({ dynamic: [{ name: 'wanted', value: 7n }] }))?.address, 7);
  assert.equal(find(withSymbols({ full: [{ name: 'wanted', value: 0n, section: 0 }] })), undefined);
});

test('two symbols of one name at different places are none', () => {
  const twice = (address: number) =>
    find(
      withSymbols({
        full: [
          { name: 'wanted', value: 5n },
          { name: 'wanted', value: BigInt(address) },
        ],
      }),
    );
  assert.equal(twice(5)?.address, 5);
  assert.equal(twice(6), undefined);
});

test('the running Node.js says where libuv keeps its signal handlers', () => {
  const fd = openSync(process.execPath, 'r');
  let most = 0;
  try {
    const found = elfSymbol((offset, length) => {
      most = Math.max(most, length);
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, readSync(fd, bytes, 0, length, offset));
    }, 'uv__signal_tree');
    assert.equal(found?.size, 8);
    assert.ok(most <= 1 << 20, `${most} bytes at once`);
  } finally {
    closeSync(fd);
  }
});

test('what a file takes from others is told, and what it has itself is not', () => {
  const symbols = [
    { name: 'connect', value: 0n, section: 0 },
    { name: 'malloc', value: 0n, section: 0 },
    { name: 'accept', value: 0x100n },
  ];
  const ofDynamic = reader(withSymbols({ dynamic: symbols }));
  assert.deepEqual(elfImports(ofDynamic, new Set(['connect', 'accept', 'malloc'])), ['connect', 'malloc']);
  assert.deepEqual(elfImports(reader(withSymbols({ full: symbols })), new Set(['connect'])), []);
});

/** An answer, or the error that was to be expected, and in any case an end. */
function survives(bytes: Uint8Array): void {
  onlyParseErrors(() => find(bytes));
  onlyParseErrors(() => elfImports(reader(bytes), new Set(['wanted'])));
}

test('a file cut short at any place is an error that was expected, or no symbol', () => {
  const whole = withSymbols({ full: [...OTHERS, { name: 'wanted', value: 5n }] });
  for (let length = 0; length < 4500; length++) survives(whole.subarray(0, length));
});

test('arbitrary bytes and arbitrary changes of a file give an answer', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), survives));
  const whole = withSymbols({
    full: [...OTHERS, { name: 'wanted', value: 5n }],
    dynamic: [{ name: 'wanted', value: 6n }],
  });
  const at = fc.oneof(
    fc.nat(180),
    fc.integer({ min: SYMBOLS_AT, max: SYMBOLS_AT + 160 }),
    fc.integer({ min: SECTIONS_AT, max: SECTIONS_AT + 511 }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(at, fc.nat(255)), { maxLength: 12 }), (changes) => {
      const bytes = whole.slice();
      for (const [offset, value] of changes) bytes[offset] = value;
      survives(bytes);
    }),
  );
});
