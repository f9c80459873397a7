import assert from 'node:assert/strict';
import { closeSync, openSync, readSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/model/errors.ts';
import type { ReadAt } from '../../src/parse/elf-file.ts';
import { elfSymbol } from '../../src/parse/elf-symbols.ts';

type Sym = { name: string; address: number; size?: number; isDefined?: boolean };

const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;

/** An ELF file for 64 bits with tables of symbols: section 1 and 2 full, 3 and 4 dynamic, each with its names. */
function elf({ full = [], dynamic = [], type = 2 }: { full?: Sym[]; dynamic?: Sym[]; type?: number }): Uint8Array {
  const bytes = new Uint8Array(8192);
  const view = new DataView(bytes.buffer);
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, type, true);
  u64(32, 64); // e_phoff
  u64(40, 4096); // e_shoff
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true); // e_phnum
  view.setUint16(58, 64, true);
  view.setUint16(60, 5, true); // e_shnum
  view.setUint32(64, 1, true); // PT_LOAD
  u64(64 + 16, 0x400000); // p_vaddr
  const section = (index: number, type: number, offset: number, size: number, link: number) => {
    const at = 4096 + index * 64;
    view.setUint32(at + 4, type, true);
    u64(at + 24, offset);
    u64(at + 32, size);
    view.setUint32(at + 40, link, true);
  };
  const table = (symbols: Sym[], index: number, sectionType: number, offset: number) => {
    let names = '\0';
    symbols.forEach(({ name, address, size = 8, isDefined = true }, i) => {
      const at = offset + i * 24;
      view.setUint32(at, names.length, true);
      view.setUint16(at + 6, isDefined ? 3 : 0, true);
      u64(at + 8, address);
      u64(at + 16, size);
      names += `${name}\0`;
    });
    section(index, sectionType, offset, symbols.length * 24, index + 1);
    section(index + 1, 3, offset + 1000, names.length, 0);
    bytes.set(new TextEncoder().encode(names), offset + 1000);
  };
  table(full, 1, SHT_SYMTAB, 200);
  table(dynamic, 3, SHT_DYNSYM, 2200);
  return bytes;
}

const reader =
  (bytes: Uint8Array): ReadAt =>
  (offset, length) =>
    bytes.subarray(offset, offset + length);

const find = (bytes: Uint8Array, name = 'wanted') => elfSymbol(reader(bytes), name);
const OTHERS = [
  { name: 'wanted_too', address: 1 },
  { name: 'unwanted', address: 2 },
];

test('a symbol is found among others by its whole name, in the full table', () => {
  const bytes = elf({ full: [...OTHERS, { name: 'wanted', address: 0x404040, size: 16 }] });
  assert.deepEqual(find(bytes), {
    name: 'wanted',
    address: 0x404040,
    size: 16,
    relocated: false,
    firstAddress: 0x400000,
  });
});

test('a name that is the end of another one is a name of its own', () => {
  const bytes = elf({ full: [{ name: 'unwanted', address: 1 }] });
  assert.equal(find(bytes), undefined);
  new DataView(bytes.buffer).setUint32(200, 3, true); // st_name: into "unwanted"
  assert.equal(find(bytes)?.address, 1);
});

test('a number that a compiler put behind the name of a static variable does not hide it', () => {
  assert.equal(find(elf({ full: [...OTHERS, { name: 'wanted.0', address: 5 }] }))?.address, 5);
});

test('the dynamic table is asked where there is no full one, and no symbol that is only imported counts', () => {
  assert.equal(find(elf({ dynamic: [{ name: 'wanted', address: 7 }], type: 3 }))?.relocated, true);
  assert.equal(find(elf({ full: [{ name: 'wanted', address: 0, isDefined: false }] })), undefined);
});

test('two symbols of one name at different places are none', () => {
  const twice = (address: number) =>
    find(
      elf({
        full: [
          { name: 'wanted', address: 5 },
          { name: 'wanted', address },
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

/** An answer, or the error that was to be expected, and in any case an end. */
function survives(bytes: Uint8Array): void {
  try {
    find(bytes);
  } catch (error) {
    assert.ok(error instanceof ParseError, String(error));
  }
}

test('a file cut short at any place is an error that was expected, or no symbol', () => {
  const whole = elf({ full: [...OTHERS, { name: 'wanted', address: 5 }] });
  for (let length = 0; length < 4500; length++) survives(whole.subarray(0, length));
});

test('arbitrary bytes and arbitrary changes of a file give an answer', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), survives));
  const whole = elf({ full: [...OTHERS, { name: 'wanted', address: 5 }], dynamic: [{ name: 'wanted', address: 6 }] });
  const at = fc.oneof(fc.nat(120), fc.integer({ min: 200, max: 300 }), fc.integer({ min: 4096, max: 4415 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(at, fc.nat(255)), { maxLength: 12 }), (changes) => {
      const bytes = whole.slice();
      for (const [offset, value] of changes) bytes[offset] = value;
      survives(bytes);
    }),
  );
});
