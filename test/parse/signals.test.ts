import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError } from '../../src/model/errors.ts';
import { parseCaughtSignals } from '../../src/parse/signals.ts';

test('the mask names signals from bit 0, which is number 1', () => {
  const status = 'Name:\tnode\nSigIgn:\t0000000001001000\nSigCgt:\t0000000188004202\nCapInh:\t0\n';
  assert.deepEqual([...parseCaughtSignals(status, 'status')], [2, 10, 15, 28, 32, 33]);
});

test('SIGQUIT is caught when the third bit is set', () => {
  const catchesQuit = (mask: string): boolean => parseCaughtSignals(`SigCgt:\t${mask}\n`, 'status').has(3);
  assert.equal(catchesQuit('2000000181005ccf'), true);
  assert.equal(catchesQuit('2000000181005cc3'), false);
});

test('a status without that line, or with a broken one, is an error', () => {
  for (const text of ['', 'SigCgt:\t\n', 'SigCgt:\txyz\n'])
    assert.throws(() => parseCaughtSignals(text, 's'), ParseError);
});
