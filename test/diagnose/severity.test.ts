import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeSeverity, rankOf, worst } from '../../src/diagnose/severity.ts';
import { type Case, type Cause, DEFAULT_LIMITS, type Finding, type Severity } from '../../src/model/finding.ts';
import { caseOf, endpoint, listener, sockets } from '../helpers/model.ts';

const MINUTE = 60_000;
const HOUR = 3600_000;

type Facts = Partial<Pick<Finding, 'cause' | 'age' | 'fds' | 'patterns'>>;
const judge = (subject: Case, facts: Facts = {}) =>
  judgeSeverity(subject, { cause: 'unknown', ...facts }, DEFAULT_LIMITS);
const age = (oldestMs: number): Facts => ({
  age: { oldestMs, oldestAtMostMs: oldestMs, medianMs: 0, youngestMs: 0, exact: true },
});
const stuck = (count: number, fields: Partial<Case> = {}): Case => caseOf({ sockets: sockets(count), ...fields });
function backlog(queue: number, limit?: number): Case {
  const { limit: _limit, ...rest } = listener({ queue, local: endpoint('0.0.0.0:80') });
  return stuck(1, { kind: 'backlog', listener: limit === undefined ? rest : { ...rest, limit } });
}

for (const [what, severity, subject, facts] of [
  ['100 sockets', 'ok', stuck(100)],
  ['101 sockets', 'warning', stuck(101)],
  ['101 sockets of which 50 may be stuck', 'warning', stuck(101, { stuck: 51, maybeStuck: 50 })],
  ['101 sockets of which one is young', 'ok', stuck(101, { stuck: 100 })],
  ['101 descriptors of closed sockets', 'warning', stuck(0, { kind: 'closed', closedFds: 101 })],
  ['512 sockets of 1024 descriptors', 'warning', stuck(512), { fds: { open: 600, limit: 1024 } }],
  ['513 sockets of 1024 descriptors', 'critical', stuck(513), { fds: { open: 600, limit: 1024 } }],
  [
    '513 closed sockets of 1024 descriptors',
    'critical',
    stuck(0, { closedFds: 513 }),
    { fds: { open: 600, limit: 1024 } },
  ],
  ['513 sockets of unlimited descriptors', 'warning', stuck(513), { fds: { open: 600 } }],
  ['10 sockets of 5 minutes', 'ok', stuck(10), age(5 * MINUTE)],
  ['10 sockets of more than 5 minutes', 'warning', stuck(10), age(5 * MINUTE + 1)],
  ['10 sockets of 30 minutes', 'warning', stuck(10), age(30 * MINUTE)],
  ['10 sockets of more than 30 minutes', 'critical', stuck(10), age(30 * MINUTE + 1)],
  ['9 sockets of a day', 'ok', stuck(9), age(24 * HOUR)],
  ['full in 24 hours', 'ok', stuck(1), { fds: { open: 1, fullInMs: 24 * HOUR } }],
  ['full in less than 24 hours', 'warning', stuck(1), { fds: { open: 1, fullInMs: 24 * HOUR - 1 } }],
  ['full in 2 hours', 'warning', stuck(1), { fds: { open: 1, fullInMs: 2 * HOUR } }],
  ['full in less than 2 hours', 'critical', stuck(1), { fds: { open: 1, fullInMs: 2 * HOUR - 1 } }],
  ['an accept queue at its limit', 'ok', backlog(128, 128)],
  ['an accept queue over its limit', 'critical', backlog(129, 128)],
  ['an accept queue of unknown limit', 'ok', backlog(129)],
  ['a full accept queue of a listener whose sockets are held', 'ok', { ...backlog(129, 128), kind: 'held' }],
] as [string, Severity, Case, Facts?][]) {
  test(`${what}: ${severity}`, () => {
    const { severity: found, crossed } = judge(subject, facts);
    assert.equal(found, severity);
    assert.equal(crossed.length > 0, severity !== 'ok');
  });
}

test('what is harmless stays harmless, whatever the limits say, and the reason is told', () => {
  for (const cause of ['churn', 'half-close', 'stale-pool'] satisfies Cause[]) {
    const { severity, crossed, harmless } = judge(stuck(9999), { cause, ...age(HOUR * 99) });
    assert.deepEqual({ severity, crossed }, { severity: 'ok', crossed: [] });
    assert.match(harmless ?? '', /\w/);
    assert.equal(judge(stuck(1), { cause }).harmless, undefined, 'no limit would have been crossed');
  }
});

test('a pool that grows is judged like any leak, and a table that is full is full', () => {
  const facts = { cause: 'stale-pool' as const, ...age(HOUR) };
  assert.equal(judge(stuck(20), { ...facts, patterns: ['accelerating'] }).severity, 'critical');
  for (const pattern of ['plateau', 'steady'] as const)
    assert.equal(judge(stuck(20), { ...facts, patterns: [pattern] }).severity, 'ok');
  assert.equal(judge(stuck(513), { ...facts, fds: { open: 600, limit: 1024 } }).severity, 'critical');
});

test('only the limits of the worst severity are named', () => {
  assert.deepEqual(judge(stuck(600), { ...age(HOUR), fds: { open: 600, limit: 1024 } }).crossed, [
    'they alone use more than 50 % of the descriptor limit',
    'older than 30 min',
  ]);
});

test('the worst of several severities counts, and nothing at all is ok', () => {
  assert.equal(worst(['ok', 'critical', 'warning']), 'critical');
  assert.equal(worst([]), 'ok');
  assert.ok(rankOf('critical') > rankOf('warning') && rankOf('warning') > rankOf('ok'));
});
