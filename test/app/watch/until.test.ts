import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUntil } from '../../../src/app/watch/until.ts';
import { UnclosedError } from '../../../src/model/errors.ts';
import { holding, process, snapshot, sockets } from '../../helpers/model.ts';
import { frameOf } from '../../helpers/watch.ts';

/** 120 stuck sockets, ten minutes old, of a process that has used 820 of 1024 descriptors. */
const held = sockets(120);
const LEAK = frameOf(snapshot({ sockets: held, processes: [process({ openFds: 820, sockets: holding(...held) })] }));
const HEALTHY = frameOf(snapshot());

const TRUE = [
  'stuck > 100',
  'stuck>100',
  'stuck >= 120 and stuck <= 120',
  'stuck = 120',
  'close_wait > 1',
  'fds > 80%',
  'fds >= 80.0 %',
  'oldest > 9m',
  'oldest >= 600',
  'oldest = 10min',
  'stuck > 1000 or fds > 80%',
];
const FALSE = ['stuck > 120', 'fds > 81%', 'oldest > 1h', 'stuck > 100 and oldest > 1h', 'stuck < 5'];
/** No rate is known after one look, so nothing is true of it, nor of its opposite. */
const UNKNOWN = ['growth > 0', 'growth <= 0', 'entered >= 0', 'full_in < 1d', 'full_in > 0s'];

for (const text of TRUE) test(`${text} holds`, () => assert.ok(parseUntil(text).holds(LEAK)));
for (const text of [...FALSE, ...UNKNOWN])
  test(`${text} does not hold`, () => assert.ok(!parseUntil(text).holds(LEAK)));

test('of a healthy machine nothing is old, and 0 are stuck', () => {
  assert.ok(parseUntil('stuck = 0').holds(HEALTHY));
  assert.ok(!parseUntil('oldest >= 0').holds(HEALTHY));
});

test('what is not understood is an error of usage that shows how to write it', () => {
  for (const text of [
    '',
    'stuck',
    'stuck > x',
    'stuk > 1',
    'stuck > 5m',
    'fds > 80',
    'oldest > 5%',
    'stuck == 1',
    'toString > 1',
    'stuck > 1 and fds > 1% or left > 1',
    'stuck > 1 and',
  ])
    assert.throws(
      () => parseUntil(text),
      (error) => error instanceof UnclosedError && error.code === 'USAGE' && error.remedy.includes("'stuck > 100'"),
      text,
    );
});
