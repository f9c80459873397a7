import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError } from '../../src/model/errors.ts';
import { integer, parseRows } from '../../src/parse/rows.ts';

const upper = (line: string, where: string): string => {
  if (line === 'bad') throw new ParseError(where, `"${line}" is bad`);
  if (line === 'broken') throw new TypeError('a bug');
  return line.toUpperCase();
};

test('lines behind the header are parsed, empty ones left out', () => {
  assert.deepEqual(parseRows('head\na\n\n  \nb\n', '/f', 1, upper), { rows: ['A', 'B'], errors: [] });
});

test('a bad line becomes an error with its path and line, and costs no other', () => {
  const { rows, errors } = parseRows('a\nbad\nb', '/f', 0, upper);
  assert.deepEqual(rows, ['A', 'B']);
  assert.deepEqual(
    errors.map(({ message }) => message),
    ['/f:2: "bad" is bad'],
  );
});

test('a fault of ours is not taken for a bad line', () => {
  assert.throws(() => parseRows('broken', '/f', 0, upper), TypeError);
});

test('whole numbers are read in both bases', () => {
  assert.equal(integer('0107', 16, 'x'), 263);
  assert.equal(integer('ff', 16, 'x'), 255);
  assert.equal(integer('0107', 10, 'x'), 107);
});

for (const text of ['', ' 1', '1 ', '-1', '+1', '1.5', '1e3', '0x10', 'a', '9007199254740993', '١']) {
  test(`"${text}" is no decimal number`, () => {
    assert.throws(() => integer(text, 10, 'place'), new ParseError('place', `"${text}" is no number`));
  });
}
