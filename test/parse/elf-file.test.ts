import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/model/errors.ts';
import { elfHeader, loadBias, namedSections } from '../../src/parse/elf-file.ts';
import { onlyParseErrors } from '../helpers/bytes.ts';
import { ET_DYN, ET_EXEC, elf, reader, type Table } from '../helpers/elf.ts';

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

test('a section is found by its name', () => {
  const sections = namedSections(reader(elf([DYNAMIC])));
  const { address, offset, size } = sections.get('.PyRuntime') ?? {};
  assert.deepEqual({ address, offset, size }, { address: 0x5000, offset: 0x900, size: 0x40 });
  assert.equal(sections.get('.nothing'), undefined);
});

test('a file that is loaded anywhere lies where its first byte does, another one at its own addresses', () => {
  assert.equal(loadBias(reader(elf([], ET_EXEC)), 0x400000), 0);
  assert.equal(loadBias(reader(elf([], ET_DYN)), 0x7f0000000000), 0x7f0000000000 - 0x400000);
});

test('other files, files of 32 bits, and ones that are cut short have no header and no sections', () => {
  const narrow = elf([]);
  narrow[4] = 1;
  for (const file of [narrow, new Uint8Array(64), elf([], 1), elf([DYNAMIC]).slice(0, 63)]) {
    assert.equal(elfHeader(reader(file)), undefined);
    assert.equal(loadBias(reader(file), 0x400000), undefined);
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
      for (const ask of [() => namedSections(read), () => loadBias(read, 0x400000)]) onlyParseErrors(ask);
    }),
  );
});
