import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cut, printable, spread, wrap } from '../../src/render/text.ts';

const OBEYED = /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u;

test('nothing that a terminal obeys is left in printable text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => assert.doesNotMatch(printable(text), OBEYED)),
    { numRuns: 1000 },
  );
});

test('what a terminal would obey is shown by its number', () => {
  assert.equal(printable('a\u001b[2Jb\n\u009b\u202e'), 'a\\x1b[2Jb\\x0a\\x9b\\u{202e}');
});

test('letters of every script stay as they are', () => {
  for (const text of ['gunicorn: worker [shop]', 'Bäckerei', 'сервер', '服务器', '🦊'])
    assert.equal(printable(text), text);
});

test('a text is cut to the width with an ellipsis, and left alone when it fits', () => {
  assert.equal(cut('gunicorn', 8), 'gunicorn');
  assert.equal(cut('gunicorn', 7), 'gunico…');
  assert.equal(cut('gunicorn', 0), '…');
});

test('a cut does not leave half a character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-composite' }), fc.integer({ min: 1, max: 20 }), (text, width) => {
      fc.pre(text.isWellFormed());
      assert.ok(cut(text, width).isWellFormed());
    }),
  );
});

const words = fc.array(
  fc.string({ unit: 'grapheme-ascii', minLength: 1 }).filter((it) => !it.includes(' ')),
  { minLength: 1 },
);

/** A number is one word with the unit behind it. */
const isOneWord = (line: string): boolean => /^\S*[0-9]( (s|min|h|d|%)([,.:]\S*)?)?$|^\S+$/.test(line.trim());

test('no line is wider than asked for, but one of a single word, and no word is lost', () => {
  fc.assert(
    fc.property(words, fc.integer({ min: 10, max: 80 }), fc.nat(6), fc.nat(8), (all, width, indent, hanging) => {
      const lines = wrap(all.join(' '), width, indent, hanging);
      assert.deepEqual(lines.join(' ').split(' ').filter(Boolean), all);
      for (const line of lines) assert.ok(line.length <= width || isOneWord(line), line);
    }),
  );
});

test('the first line is indented by the one, the others by the other', () => {
  assert.deepEqual(wrap('one two three', 9, 2, 4), ['  one two', '    three']);
});

test('no line ends in a space', () => {
  for (const text of ['one   two', 'one  two   three'])
    for (const line of wrap(text, 6, 0)) assert.equal(line, line.trimEnd());
});

test('a right part stands at the right edge when two columns are left, else on a line of its own', () => {
  assert.deepEqual(spread('left', 'right', 11), { gap: '  ', fits: true });
  assert.deepEqual(spread('left', 'right', 10), { gap: '', fits: false });
});
