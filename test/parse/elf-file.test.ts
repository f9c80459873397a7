import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/model/errors.ts';
import { elfHeader, firstAddress, namedSections } from '../../src/parse/elf-file.ts';
import { elfImports } from '../../src/parse/elf-imports.ts';
import { onlyParseErrors } from '../helpers/bytes.ts';

type Sym = { name: string; value: bigint; size?: bigint; section?: number };
type Table = { type: 2 | 11; name: string; symbols: Sym[] };

const ET_EXEC = 2;
const ET_DYN = 3;

/** A little-endian ELF64 file with these tables of symbols and a section .PyRuntime, loaded from page 0x400000 on. */
function elf(tables: Table[], type = ET_DYN): Uint8Array {
  const file = new Uint8Array(8192);
  const view = new DataView(file.buffer);
  const put = (at: number, text: string) => file.set(new TextEncoder().encode(text), at);
  const sections: { name: string; type: number; address: bigint; offset: number; size: number; link: number }[] = [
    { name: '', type: 0, address: 0n, offset: 0, size: 0, link: 0 },
    { name: '.PyRuntime', type: 1, address: 0x5000n, offset: 0x900, size: 0x40, link: 0 },
  ];
  let at = 1024;
  for (const { type: kind, name, symbols } of tables) {
    let strings = '\0';
    const offset = at;
    symbols.forEach(({ name: symbol, value, size = 0n, section = 1 }, i) => {
      view.setUint32(offset + i * 24, strings.length, true);
      view.setUint16(offset + i * 24 + 6, section, true);
      view.setBigUint64(offset + i * 24 + 8, value, true);
      view.setBigUint64(offset + i * 24 + 16, size, true);
      strings += `${symbol}\0`;
    });
    at += symbols.length * 24;
    put(at, strings);
    sections.push({ name, type: kind, address: 0n, offset, size: symbols.length * 24, link: sections.length + 1 });
    sections.push({
      name: name.replace('sym', 'str'),
      type: 3,
      address: 0n,
      offset: at,
      size: strings.length,
      link: 0,
    });
    at += strings.length;
  }
  const names = `\0${sections.map(({ name }) => name).join('\0')}\0.shstrtab\0`;
  sections.push({ name: '.shstrtab', type: 3, address: 0n, offset: 512, size: names.length, link: 0 });
  put(512, names);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, type, true);
  view.setBigUint64(32, 64n, true); // e_phoff
  view.setBigUint64(40, 4096n, true); // e_shoff
  view.setUint16(56, 2, true); // e_phnum
  view.setUint16(60, sections.length, true);
  view.setUint16(62, sections.length - 1, true);
  view.setUint32(64, 4, true); // PT_NOTE
  view.setUint32(64 + 56, 1, true); // PT_LOAD
  view.setBigUint64(64 + 56 + 8, 0x40n, true); // p_offset
  view.setBigUint64(64 + 56 + 16, 0x400040n, true); // p_vaddr
  sections.forEach((section, i) => {
    const start = 4096 + i * 64;
    view.setUint32(start, names.indexOf(`\0${section.name}\0`) + 1, true);
    view.setUint32(start + 4, section.type, true);
    view.setBigUint64(start + 16, section.address, true);
    view.setBigUint64(start + 24, BigInt(section.offset), true);
    view.setBigUint64(start + 32, BigInt(section.size), true);
    view.setUint32(start + 40, section.link, true);
  });
  return file;
}

const reader = (file: Uint8Array) => (offset: number, length: number) => file.subarray(offset, offset + length);

const DYNAMIC: Table = {
  type: 11,
  name: '.dynsym',
  symbols: [
    { name: 'connect', value: 0n, section: 0 },
    { name: 'malloc', value: 0n, section: 0 },
    { name: 'accept', value: 0x100n },
    { name: '_PyRuntime', value: 0x5560n, size: 700n },
  ],
};
const FULL: Table = {
  type: 2,
  name: '.symtab',
  symbols: [
    { name: '_PyRuntime', value: 0x9999n },
    { name: 'interp_head', value: 0x7000n, size: 8n },
  ],
};

test('what a file takes from others is told, and what it has itself is not', () => {
  const read = reader(elf([DYNAMIC]));
  assert.deepEqual(elfImports(read, new Set(['connect', 'accept', 'malloc'])), ['connect', 'malloc']);
  assert.deepEqual(elfImports(reader(elf([FULL])), new Set(['connect'])), []);
});

test('a section is found by its name', () => {
  const sections = namedSections(reader(elf([DYNAMIC])));
  const { address, offset, size } = sections.get('.PyRuntime') ?? {};
  assert.deepEqual({ address, offset, size }, { address: 0x5000, offset: 0x900, size: 0x40 });
  assert.equal(sections.get('.nothing'), undefined);
});

test('it is told where a file is loaded: at its own addresses or anywhere, with the address of its start', () => {
  for (const [type, relocated] of [
    [ET_EXEC, false],
    [ET_DYN, true],
  ] as const) {
    const read = reader(elf([], type));
    const header = elfHeader(read);
    assert.equal(header?.relocated, relocated);
    assert.equal(header && firstAddress(read, header), 0x400000);
  }
});

test('other files, files of 32 bits, and ones that are cut short have no header and no sections', () => {
  const narrow = elf([]);
  narrow[4] = 1;
  for (const file of [narrow, new Uint8Array(64), elf([], 1), elf([DYNAMIC]).slice(0, 63)]) {
    assert.equal(elfHeader(reader(file)), undefined);
    assert.deepEqual(namedSections(reader(file)), new Map());
  }
  assert.throws(() => namedSections(reader(elf([DYNAMIC]).slice(0, 4100))), ParseError);
});

test('a file with any bytes changed gives sections, none, or a ParseError, and ends', () => {
  const whole = elf([DYNAMIC, FULL]);
  const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 30 }), (changes) => {
      const file = whole.slice();
      for (const [at, byte] of changes) file[at] = byte;
      const read = reader(file);
      for (const ask of [
        () => namedSections(read),
        () => elfImports(read, new Set(['connect'])),
        () => {
          const header = elfHeader(read);
          if (header) firstAddress(read, header);
        },
      ])
        onlyParseErrors(ask);
    }),
  );
});
