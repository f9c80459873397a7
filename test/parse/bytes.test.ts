import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/model/errors.ts';
import { StructReader } from '../../src/parse/bytes.ts';
import { bytes } from '../helpers/bytes.ts';

const FIELDS = bytes(`
  7f                       // u8
  34 12                    // u16
  1f 90                    // u16be: port 8080
  fe ff ff ff              // s32
  fe ff ff ff              // u32
  08 07 06 05 04 03 02 01  // u64
  aa bb                    // slice
`);

test('each method reads its width and byte order, one after the other', () => {
  const reader = new StructReader('fields', FIELDS);
  assert.equal(reader.u8(), 0x7f);
  assert.equal(reader.u16(), 0x1234);
  assert.equal(reader.u16be(), 8080);
  assert.equal(reader.s32(), -2);
  assert.equal(reader.position, 9);
  assert.equal(reader.u32(), 4294967294);
  assert.equal(reader.u64(), 0x0102030405060708n);
  assert.equal(reader.left, 2);
  assert.deepEqual([...reader.slice(2)], [0xaa, 0xbb]);
  assert.equal(reader.left, 0);
});

test('a read past the end names the struct, the offset, and what is left', () => {
  const reader = new StructReader('inet_diag_msg', new Uint8Array(70));
  reader.skip(68);
  assert.throws(() => reader.u32(), new ParseError('inet_diag_msg+68', 'needs 4 bytes, 2 left'));
});

test('offsets in errors count from the beginning of the struct, wherever it lies', () => {
  const reader = new StructReader('nlattr', new Uint8Array(100)).at(40, 46);
  reader.skip(4);
  assert.throws(() => reader.u32(), { message: 'nlattr+4: needs 4 bytes, 2 left' });
});

test('a failed read moves nothing', () => {
  const reader = new StructReader('fields', FIELDS).at(0, 3);
  reader.skip(2);
  assert.throws(() => reader.u16(), ParseError);
  assert.equal(reader.u8(), 0x12);
});

test('a struct ends where it is said to end, although bytes follow', () => {
  const reader = new StructReader('fields', FIELDS).at(1, 3);
  assert.equal(reader.u16(), 0x1234);
  assert.throws(() => reader.u8(), ParseError);
});

test('a struct outside of the bytes is refused', () => {
  const reader = new StructReader('fields', FIELDS);
  for (const [start, end] of [
    [-1, 4],
    [4, 3],
    [0, FIELDS.length + 1],
  ] as const) {
    assert.throws(() => reader.at(start, end), ParseError);
  }
});

test('a view into a larger buffer is read from its own beginning to its own end', () => {
  const reader = new StructReader('fields', FIELDS.subarray(3, 5));
  assert.equal(reader.u16be(), 8080);
  assert.throws(() => reader.u8(), ParseError);
});

test('a slice is a view', () => {
  const copy = FIELDS.slice();
  new StructReader('fields', copy).slice(1)[0] = 1;
  assert.equal(copy[0], 1);
});

test('no sequence of reads passes the end', () => {
  const methods = ['u8', 'u16', 'u16be', 'u32', 's32', 'u64'] as const;
  const widths = { u8: 1, u16: 2, u16be: 2, u32: 4, s32: 4, u64: 8 };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 32 }), fc.array(fc.constantFrom(...methods)), (data, reads) => {
      const reader = new StructReader('random', data);
      let left = data.length;
      for (const method of reads) {
        if (widths[method] <= left) {
          reader[method]();
          left -= widths[method];
        } else {
          assert.throws(() => reader[method](), ParseError);
        }
        assert.equal(reader.left, left);
      }
    }),
  );
});
