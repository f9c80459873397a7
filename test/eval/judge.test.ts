import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JsonFinding, judge } from '../../eval/judge.ts';
import type { Truth } from '../../eval/workload.ts';

const READY = { pid: 7, pids: [7, 8] };
const TRUTH: Truth = { cause: 'forgotten', sockets: 20, direction: 'inbound', holder: 'program', severity: 'any' };
const HEALTHY: Truth = { cause: 'none', holder: 'program', severity: 'ok' };

const finding = (changes: Partial<JsonFinding> = {}): JsonFinding => ({
  cause: 'forgotten',
  confidence: 'likely',
  severity: 'ok',
  holder: { pid: 7 },
  direction: 'inbound',
  sockets: 20,
  ...changes,
});

test('the finding with most sockets is the verdict', () => {
  const verdict = judge([finding({ cause: 'stalled', sockets: 2 }), finding()], TRUTH, READY);
  assert.equal(verdict.cause, 'forgotten');
  assert.ok(verdict.right);
});

test('another cause, process, direction, number or severity is a fault', () => {
  const severe: Truth = { ...TRUTH, severity: 'above' };
  const changes = [
    { cause: 'missing-close' },
    { holder: { pid: 8 } },
    { direction: 'outbound' },
    { sockets: 19 },
  ] as const;
  for (const change of changes) assert.equal(judge([finding(change)], TRUTH, READY).faults.length, 1);
  assert.deepEqual(judge([finding()], severe, READY).faults, ['severity ok']);
});

test('ordinary churn beside the stuck sockets is no fault, unless the truth is churn', () => {
  const churn = finding({ cause: 'churn', sockets: 90, confidence: 'proven' });
  assert.deepEqual(judge([churn, finding()], TRUTH, READY).faults, []);
  assert.deepEqual(judge([churn, finding()], TRUTH, READY).untrue, []);
  assert.equal(judge([churn], { ...HEALTHY, cause: 'churn' }, READY).cause, 'churn');
});

test('an untrue cause counts when it is called proven, also of a small finding', () => {
  const small = finding({ cause: 'stalled', sockets: 1, confidence: 'proven' });
  assert.deepEqual(judge([finding(), small], TRUTH, READY).untrue, ['stalled']);
  assert.deepEqual(judge([finding(), small], { ...TRUTH, also: ['stalled'] }, READY).untrue, []);
  assert.deepEqual(judge([finding({ cause: 'stalled' })], TRUTH, READY).untrue, []);
});

test('nothing found is right for a healthy program only', () => {
  assert.ok(judge([], HEALTHY, READY).right);
  assert.ok(!judge([], TRUTH, READY).right);
});

test('a healthy program is wronged by an alarm and by a cause that blames it', () => {
  assert.ok(judge([finding({ cause: 'half-close' })], HEALTHY, READY).right);
  assert.ok(!judge([finding({ cause: 'half-close', severity: 'warning' })], HEALTHY, READY).right);
  assert.ok(!judge([finding({ cause: 'missing-close' })], HEALTHY, READY).right);
});

test('sockets that nobody holds belong to a listener of the program', () => {
  const truth: Truth = { ...TRUTH, cause: 'accept-backlog', holder: 'nobody' };
  const found = finding({ cause: 'accept-backlog', holder: null, listener: { pid: 8 } });
  assert.ok(judge([found], truth, READY).right);
  assert.ok(!judge([{ ...found, listener: { pid: 9 } }], truth, READY).right);
});

test('unknown is right only where the kernel cannot tell', () => {
  const unknown = finding({ cause: 'unknown', confidence: 'undecided' });
  assert.deepEqual(judge([unknown], TRUTH, READY).faults, ['cause unknown']);
  assert.ok(judge([unknown], { ...TRUTH, undecidable: 'no pool is seen' }, READY).right);
});
