import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeText, textForm } from '../../../src/parse/python/text.ts';
import { bytes, onlyParseErrors } from '../../helpers/bytes.ts';

test('the state of a str tells how wide its characters are, and whether it is ASCII', () => {
  // As read of running interpreters: 'socket' (interned), 'é', '€', '😀'.
  assert.deepEqual(textForm(0xe5), { width: 1, ascii: true });
  assert.deepEqual(textForm(0xa4), { width: 1, ascii: false });
  assert.deepEqual(textForm(0xa8), { width: 2, ascii: false });
  assert.deepEqual(textForm(0xb0), { width: 4, ascii: false });
});

test('texts of all widths are decoded', () => {
  assert.equal(decodeText(1, bytes('63 61 66 e9 80')), 'caf\u00e9\u0080');
  assert.equal(decodeText(2, bytes('ac20 3100')), '€1');
  assert.equal(decodeText(4, bytes('00f60100 41000000')), '😀A');
});

test('what is no character becomes the replacement character', () => {
  assert.equal(decodeText(4, bytes('ffffffff 41000000')), '\ufffdA');
});

test('any state and any bytes give a text or a ParseError', () => {
  fc.assert(
    fc.property(fc.nat(), fc.uint8Array({ maxLength: 100 }), (state, text) =>
      onlyParseErrors(() => {
        const { width } = textForm(state);
        assert.ok(decodeText(width, text).length <= text.length);
      }),
    ),
  );
});
