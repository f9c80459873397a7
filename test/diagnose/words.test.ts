import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, formatEndpoint, formatNumber, formatShare, plural } from '../../src/model/words.ts';
import { endpoint } from '../helpers/model.ts';

for (const [milliseconds, text] of [
  [0, '0.0 s'],
  [340, '0.3 s'],
  [9_949, '9.9 s'],
  [10_000, '10 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [61_000, '1 min 1 s'],
  [3_599_999, '59 min 59 s'],
  [3_600_000, '1 h'],
  [11_520_000, '3 h 12 min'],
  [86_399_999, '23 h 59 min'],
  [86_400_000, '1 d'],
  [187_200_000, '2 d 4 h'],
] as const) {
  test(`${milliseconds} ms are ${text}`, () => assert.equal(formatDuration(milliseconds), text));
}

test('thousands are set apart as English does', () => {
  fc.assert(fc.property(fc.integer(), (it) => assert.equal(formatNumber(it), it.toLocaleString('en'))));
});

test('one is singular, everything else plural', () => {
  assert.deepEqual(
    [0, 1, 1500].map((n) => plural(n, 'socket')),
    ['0 sockets', '1 socket', '1,500 sockets'],
  );
  assert.equal(plural(2, 'process', 'processes'), '2 processes');
});

test('IPv6 addresses with a port stand in brackets', () => {
  for (const text of ['10.0.0.7:5432', '[2001:db8::1]:443', '[::]:80'])
    assert.equal(formatEndpoint(endpoint(text)), text);
});

test('shares are whole percents', () => {
  assert.equal(formatShare(0.684), '68 %');
});
