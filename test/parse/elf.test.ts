import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isGoBinary } from '../../src/parse/elf.ts';

type Header = { type: number; offset?: number; size?: number; align?: number };

const PT_LOAD = 1;
const PT_NOTE = 4;
const PT_PHDR = 6;
const NOTES = 512;

/** An executable of 4096 bytes with these program headers, and `notes` at byte 512. */
function elf(headers: Header[], notes: Uint8Array = new Uint8Array(), bits: 32 | 64 = 64): Uint8Array {
  const head = new Uint8Array(4096);
  const view = new DataView(head.buffer);
  const wide = bits === 64;
  const phoff = wide ? 64 : 52;
  const phentsize = wide ? 56 : 32;
  const word = (at: number, value: number) =>
    wide ? view.setBigUint64(at, BigInt(value), true) : view.setUint32(at, value, true);
  head.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  word(wide ? 32 : 28, phoff);
  view.setUint16(wide ? 54 : 42, phentsize, true);
  view.setUint16(wide ? 56 : 44, headers.length, true);
  headers.forEach(({ type, offset = NOTES, size = notes.length, align = 8 }, index) => {
    const start = phoff + index * phentsize;
    view.setUint32(start, type, true);
    word(start + (wide ? 8 : 4), offset);
    word(start + (wide ? 32 : 16), size);
    word(start + (wide ? 48 : 28), align);
  });
  head.set(notes, NOTES);
  return head;
}

function note(name: string, type: number, desc: number[]): Uint8Array {
  const words = new Uint8Array(new Uint32Array([name.length, desc.length, type]).buffer);
  const padded = (bytes: number[]) => [...bytes, ...Array(-bytes.length & 3).fill(0)];
  return Uint8Array.from([...words, ...padded([...name].map((c) => c.charCodeAt(0))), ...padded(desc)]);
}

const GNU = note('GNU\0', 3, [1, 2, 3, 4, 5]);
const GO = note('Go\0\0', 4, [...Array(83).keys()]);
const BOTH = Uint8Array.from([...GNU, ...GO]);

test('the note of Go tells a Go binary, with 64 and with 32 bits, alone and behind another note', () => {
  for (const bits of [64, 32] as const)
    for (const notes of [GO, BOTH])
      assert.equal(isGoBinary(elf([{ type: PT_PHDR }, { type: PT_LOAD }, { type: PT_NOTE }], notes, bits)), true);
});

test('a program header table aligned to a page tells a Go binary without a build id', () => {
  for (const bits of [64, 32] as const)
    assert.equal(
      isGoBinary(
        elf(
          [
            { type: PT_PHDR, align: 4096 },
            { type: PT_LOAD, align: 4096 },
          ],
          undefined,
          bits,
        ),
      ),
      true,
    );
});

test('another executable is no Go binary', () => {
  assert.equal(isGoBinary(elf([{ type: PT_PHDR }, { type: PT_LOAD, align: 4096 }, { type: PT_NOTE }], GNU)), false);
  assert.equal(isGoBinary(elf([{ type: PT_NOTE }], note('Go\0\0', 5, []))), false);
  assert.equal(isGoBinary(elf([{ type: PT_NOTE }], note('Gox\0', 4, [1]))), false);
  assert.equal(isGoBinary(elf([{ type: PT_NOTE, size: GNU.length }], BOTH)), false);
  assert.equal(isGoBinary(new TextEncoder().encode('#!/bin/sh\nexec Go\0\0')), false);
});

test('program headers of an unknown size are not read', () => {
  const head = elf([{ type: PT_PHDR, align: 4096 }]);
  assert.equal(isGoBinary(head), true);
  head[54] = 0;
  assert.equal(isGoBinary(head), false);
});

test('a note segment outside of the head does not hide the next one', () => {
  for (const offset of [4095, 4096, 2 ** 40])
    assert.equal(isGoBinary(elf([{ type: PT_NOTE, offset, size: 64 }, { type: PT_NOTE }], GO)), true);
});

test('a head cut short of the note is no Go binary and no error', () => {
  const whole = elf([{ type: PT_LOAD }, { type: PT_NOTE }], GO);
  for (let n = 0; n < NOTES + 16; n++) assert.equal(isGoBinary(whole.subarray(0, n)), false);
  assert.equal(isGoBinary(whole.subarray(0, NOTES + 16)), true);
});

test('a view into a larger buffer is read from its own start', () => {
  const larger = new Uint8Array(5000);
  larger.set(elf([{ type: PT_NOTE }], GO), 7);
  assert.equal(isGoBinary(larger.subarray(7, 4103)), true);
});

test('arbitrary bytes and arbitrary headers give an answer', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (head) => typeof isGoBinary(head) === 'boolean'));
  const size = fc.oneof(fc.nat(5000), fc.nat());
  const header = fc.record({ type: fc.constantFrom(PT_LOAD, PT_NOTE), offset: size, size, align: fc.nat() });
  fc.assert(
    fc.property(
      fc.array(header, { maxLength: 7 }),
      fc.uint8Array({ maxLength: 400 }),
      fc.constantFrom(32, 64),
      (...args) => assert.equal(typeof isGoBinary(elf(...args)), 'boolean'),
    ),
  );
});

test('as many note segments as a head can hold are read at once', () => {
  const started = performance.now();
  const notes = new Uint8Array(4096 - NOTES);
  assert.equal(isGoBinary(elf(Array(8).fill({ type: PT_NOTE, offset: NOTES, size: 2 ** 31 }), notes)), false);
  assert.ok(performance.now() - started < 1000);
});
