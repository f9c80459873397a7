import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acceptBacklog } from '../../src/diagnose/rules/accept-backlog.ts';
import { churn } from '../../src/diagnose/rules/churn.ts';
import { closedButHeld } from '../../src/diagnose/rules/closed-but-held.ts';
import { RULES } from '../../src/diagnose/rules/index.ts';
import { stalled } from '../../src/diagnose/rules/stalled.ts';
import type { Case, Rule, Verdict } from '../../src/model/finding.ts';
import type { ProcessState } from '../../src/model/process.ts';
import { caseOf, listener, process, snapshot, unaccepted } from '../helpers/model.ts';

const judge = (rule: Rule, fields: Partial<Case>): Verdict => rule.judge(caseOf(fields), snapshot());
const says = (rule: Rule, fields: Partial<Case>): string => judge(rule, fields).kind;
const factsOf = (verdict: Verdict): string => ('evidence' in verdict ? JSON.stringify(verdict.evidence) : '');

const backlog = (queue: number, limit: number | undefined = 128, state: ProcessState = 'sleeping'): Partial<Case> => {
  const { limit: _limit, ...rest } = listener({ queue });
  return {
    kind: 'backlog',
    listener: limit === undefined ? rest : { ...rest, limit },
    process: process({ state }),
    sockets: [unaccepted()],
  };
};
const unlimited = (): Partial<Case> => {
  const { limit: _limit, ...rest } = listener({ queue: 5 });
  return { ...backlog(5), listener: rest };
};

test('closed-but-held: yes to a case of closed sockets, with their number, and likely only', () => {
  const verdict = judge(closedButHeld, { kind: 'closed', closedFds: 12, sockets: [] });
  assert.equal(verdict.kind === 'yes' && verdict.confidence, 'likely');
  assert.match(factsOf(verdict), /12 descriptors/);
});

test('closed-but-held: no to sockets that are in a table', () => {
  for (const kind of ['held', 'backlog', 'unowned'] as const) assert.equal(says(closedButHeld, { kind }), 'no');
});

test('churn: yes when every socket is young', () => {
  assert.equal(says(churn, { stuck: 0 }), 'yes');
  assert.equal(says(churn, { ...backlog(128), stuck: 0 }), 'yes');
});

test('churn: no when one is stuck, or may be', () => {
  assert.equal(says(churn, { stuck: 1 }), 'no');
  assert.equal(says(churn, { stuck: 0, maybeStuck: 1 }), 'no');
});

test('churn: no to closed sockets, and to a full accept queue, however young', () => {
  assert.equal(says(churn, { kind: 'closed', stuck: 0, sockets: [] }), 'no');
  assert.equal(says(churn, { ...backlog(129), stuck: 0 }), 'no');
});

test('accept-backlog: yes to sockets that nobody has accepted, with queue and limit', () => {
  const verdict = judge(acceptBacklog, backlog(3));
  assert.equal(verdict.kind === 'yes' && verdict.confidence, 'proven');
  assert.match(factsOf(verdict), /0\.0\.0\.0:8000: 3 waiting, 128 allowed/);
  assert.match(factsOf(verdict), /new connections still get in/);
});

test('accept-backlog: the queue is full when it is longer than its limit, not at it', () => {
  assert.doesNotMatch(factsOf(judge(acceptBacklog, backlog(128))), /dropped/);
  assert.match(factsOf(judge(acceptBacklog, backlog(129))), /dropped/);
});

test('accept-backlog: a limit that is not known is not made up', () => {
  const facts = factsOf(judge(acceptBacklog, unlimited()));
  assert.match(facts, /5 waiting/);
  assert.doesNotMatch(facts, /allowed|undefined/);
});

test('accept-backlog: a stopped process is named as the reason', () => {
  assert.match(factsOf(judge(acceptBacklog, backlog(3, 128, 'stopped'))), /gunicorn \(pid 812\) is stopped/);
});

test('accept-backlog: no to sockets that somebody holds', () => {
  assert.equal(says(acceptBacklog, { kind: 'held', listener: listener() }), 'no');
});

test('stalled: yes to a process that is stopped or held by a debugger', () => {
  assert.match(factsOf(judge(stalled, { process: process({ state: 'stopped' }) })), /state T/);
  assert.match(factsOf(judge(stalled, { process: process({ state: 'traced' }) })), /debugger/);
});

test('stalled: no to a process that runs or sleeps, and to one whose state is not known', () => {
  const { state: _state, ...unknown } = process();
  for (const it of [process(), process({ state: 'running' }), unknown])
    assert.equal(says(stalled, { process: it }), 'no');
});

test('stalled: no to the backlog of a stopped process, which accept-backlog explains', () => {
  assert.equal(says(stalled, backlog(3, 128, 'stopped')), 'no');
});

test('every rule has a cause of its own', () => {
  assert.equal(new Set(RULES.map(({ cause }) => cause)).size, RULES.length);
});

test('accept-backlog: listeners that share a port are all told of, with their queues', () => {
  const [one, other] = [listener({ inode: 1, queue: 29 }), listener({ inode: 2, queue: 31 })];
  const subject = caseOf({ kind: 'backlog', listener: other, sockets: [unaccepted()] });
  const verdict = acceptBacklog.judge(subject, snapshot({ listeners: [one, other] }));
  assert.match(factsOf(verdict), /2 listeners share .* \(SO_REUSEPORT\), with 29, 31 waiting/);
});

test('accept-backlog: a process without a free descriptor cannot accept, and that is said', () => {
  const full = { ...backlog(5), process: process({ openFds: 60, fdLimit: 60 }) };
  assert.match(factsOf(judge(acceptBacklog, full)), /no free descriptor \(60 of 60\).*Too many open files/);
});
