import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../../src/model/errors.ts';
import { DEBUG_OFFSETS_SIZE, readDebugOffsets } from '../../../src/parse/python/debug-offsets.ts';
import { LAYOUTS } from '../../../src/parse/python/layouts.ts';
import { bytes, everyTruncationFails, onlyParseErrors } from '../../helpers/bytes.ts';

const table = LAYOUTS[13] ?? assert.fail('no layout of 3.13');
const recorded = bytes(
  readFileSync(new URL('../../../fixtures/python/debug-offsets-3.13.hex', import.meta.url), 'utf8'),
);

test('what CPython 3.13.0 tells of its own layout is what the table says', () => {
  assert.equal(recorded.length, DEBUG_OFFSETS_SIZE);
  assert.deepEqual(readDebugOffsets(recorded, table), { freeThreaded: false, layout: table });
});

test('a build without the GIL is told', () => {
  const free = recorded.slice();
  free[16] = 1;
  assert.equal(readDebugOffsets(free, table).freeThreaded, true);
});

test('offsets that no struct can have, another cookie and short input are a ParseError', () => {
  const huge = recorded.slice();
  huge.set([0xff, 0xff, 0xff, 0xff], 5 * 8);
  assert.throws(() => readDebugOffsets(huge, table), ParseError);
  assert.throws(() => readDebugOffsets(new Uint8Array(DEBUG_OFFSETS_SIZE), table), ParseError);
  everyTruncationFails(recorded, (part) => readDebugOffsets(part, table));
});

test('any bytes behind the cookie give a layout or a ParseError', () => {
  const length = DEBUG_OFFSETS_SIZE - 8;
  fc.assert(
    fc.property(fc.uint8Array({ minLength: length, maxLength: length }), (rest) =>
      onlyParseErrors(() => readDebugOffsets(Uint8Array.from([...recorded.slice(0, 8), ...rest]), table)),
    ),
  );
});
