import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UnclosedError } from '../../src/model/errors.ts';
import { alerts, parseThresholds } from '../../src/parse/range.ts';

const range = (text: string) => parseThresholds('-w', [text]).stuck ?? assert.fail();

// The table of the guidelines: https://www.monitoring-plugins.org/doc/guidelines.html#THRESHOLDFORMAT
for (const [text, good, bad] of [
  ['10', [0, 5, 10], [11, -1]],
  ['10:', [10, 999], [9, 0]],
  ['~:10', [-5, 0, 10], [11]],
  ['10:20', [10, 15, 20], [9, 21]],
  ['@10:20', [9, 21], [10, 15, 20]],
  [':5', [0, 5], [6]],
  ['@5', [6], [0, 5]],
  ['0', [0], [1]],
  ['~:', [-5, 999], []],
] as [string, number[], number[]][]) {
  test(`${text} is good with ${good.join(', ')} and alerts on ${bad.join(', ') || 'nothing'}`, () => {
    for (const value of good) assert.equal(alerts(range(text), value), false, String(value));
    for (const value of bad) assert.equal(alerts(range(text), value), true, String(value));
  });
}

test('several ranges have names, and their ends units', () => {
  assert.deepEqual(parseThresholds('-c', ['100,age=5m', 'fds=12.5%:50%']), {
    stuck: { start: 0, end: 100, alertInside: false },
    age: { start: 0, end: 300, alertInside: false },
    fds: { start: 12.5, end: 50, alertInside: false },
  });
  assert.deepEqual(parseThresholds('-c', ['age=90']).age?.end, 90);
  assert.deepEqual(parseThresholds('-c', ['fds=50']).fds?.end, 50);
});

for (const [values, message] of [
  [['x'], /-w x: no range/],
  [[''], /no range/],
  [['20:10'], /no range/],
  [['@'], /no range/],
  [['1:2:3'], /no range/],
  [['10%'], /no range/],
  [['-5'], /no range/],
  [['age=5x'], /no range/],
  [['load=5'], /there is no load/],
  [['5', 'stuck=6'], /stuck was given twice/],
] as [string[], RegExp][]) {
  test(`-w ${values.join(' -w ')} is an error of usage`, () => {
    assert.throws(
      () => parseThresholds('-w', values),
      (error) => {
        assert.ok(error instanceof UnclosedError && error.code === 'USAGE');
        assert.match(error.message, message);
        return true;
      },
    );
  });
}

test('whatever is typed is a range or an error of usage', () => {
  const text = fc.stringMatching(/^[@~0-9:=,.%agefdsmh]{0,12}$/);
  fc.assert(
    fc.property(text, (typed) => {
      try {
        for (const { start, end } of Object.values(parseThresholds('-w', [typed]))) assert.ok(start <= end);
      } catch (error) {
        assert.ok(error instanceof UnclosedError, String(error));
      }
    }),
  );
});
