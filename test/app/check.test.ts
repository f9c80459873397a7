import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeFinding, judge } from '../../src/app/check.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import type { CheckResult } from '../../src/model/check.ts';
import type { ErrorCode } from '../../src/model/errors.ts';
import { DEFAULT_LIMITS } from '../../src/model/finding.ts';
import type { Snapshot } from '../../src/model/snapshot.ts';
import { parseThresholds } from '../../src/parse/range.ts';
import { renderCheck } from '../../src/render/check.ts';
import {
  aged,
  caseOf,
  diagnosisOf,
  findingOf,
  holding,
  listener,
  process,
  snapshot,
  sockets,
  unaccepted,
} from '../helpers/model.ts';

const MINUTE = 60_000;

type Given = { w?: string; c?: string; ofProcesses?: boolean };

function checked(of: Snapshot, { w, c, ofProcesses = false }: Given = {}): CheckResult {
  const ranges = {
    warning: parseThresholds('-w', w === undefined ? [] : [w]),
    critical: parseThresholds('-c', c === undefined ? [] : [c]),
  };
  return judge({ snapshot: of, diagnosis: diagnose(of), limits: DEFAULT_LIMITS, rows: () => [] }, ranges, ofProcesses);
}

/** A process with so many sockets of this age. */
function leak(count: number, ageMs: number, fields: Partial<Snapshot> = {}): Snapshot {
  const all = sockets(count, aged(ageMs));
  return { ...snapshot({ sockets: all, processes: [process({ sockets: holding(...all) })] }), ...fields };
}

const gap = (code: ErrorCode) => ({ code, what: 'something', effect: 'x', remedy: 'run as root' });
const valuesOf = ({ measures }: CheckResult) => Object.fromEntries(measures.map(({ name, value }) => [name, value]));
const firstLine = (result: CheckResult): string => renderCheck(result, describeFinding, false).split('\n')[0] ?? '';

test('a healthy machine is OK, and every number is 0, not absent', () => {
  const result = checked(snapshot());
  assert.equal(
    firstLine(result),
    'UNCLOSED OK - nothing is stuck | stuck=0;;;0 age=0s;;;0 fds=0%;;;0;100 close_wait=0;;;0',
  );
});

test('without ranges the limits of the report decide', () => {
  assert.equal(checked(leak(9, 99 * MINUTE)).state, 'OK');
  assert.equal(checked(leak(10, 6 * MINUTE)).state, 'WARNING');
  const { state, summary } = checked(leak(10, 31 * MINUTE));
  assert.equal(state, 'CRITICAL');
  assert.equal(summary, 'gunicorn (pid 812), 10 connections, unknown: older than 30 min');
});

test('the numbers are those of what is stuck: how many, how old in seconds, what share of the descriptors', () => {
  assert.deepEqual(valuesOf(checked(leak(256, 10 * MINUTE))), { stuck: 256, age: 600, fds: 25, close_wait: 256 });
  assert.deepEqual(valuesOf(checked(leak(3, 1000))), { stuck: 0, age: 0, fds: 0.3, close_wait: 3 }, 'churn');
});

test('a range that is left gives its state, critical before warning, and stands in the performance data', () => {
  const of = leak(20, 2 * MINUTE);
  assert.equal(checked(of, { w: '19' }).state, 'WARNING');
  assert.equal(checked(of, { w: '5', c: '19' }).state, 'CRITICAL');
  assert.equal(checked(of, { w: '20', c: '30' }).state, 'OK');
  assert.equal(checked(of, { c: 'age=119' }).state, 'CRITICAL');
  assert.equal(checked(of, { w: 'fds=1%' }).state, 'WARNING');
  assert.equal(checked(of, { w: '@10:30' }).state, 'WARNING');
  assert.match(
    firstLine(checked(of, { w: '10:19,age=~:5m', c: '@20:' })),
    /^UNCLOSED CRITICAL - stuck is 20; gunicorn .* \| stuck=20;10:19;@20:;0 age=120s;~:300;;0 fds=2%;;;0;100 /,
  );
});

test('a limit of the report on something else still holds beside a range', () => {
  const queue = listener({ queue: 129 });
  const of = snapshot({
    sockets: [unaccepted()],
    listeners: [queue],
    processes: [process({ sockets: holding(queue) })],
  });
  const { state, summary } = checked(of, { c: '1000' });
  assert.equal(state, 'CRITICAL');
  assert.match(summary, /accept queue of .* is full$/);
});

test('a descriptor table that young sockets fill up is told', () => {
  assert.equal(checked(leak(600, 1000), { c: 'fds=50%' }).state, 'CRITICAL');
});

test('what is harmless is not counted', () => {
  const diagnosis = diagnosisOf([
    findingOf({ severity: 'ok', cause: 'half-close', subject: caseOf({ sockets: sockets(20) }) }),
  ]);
  const look = { snapshot: snapshot(), diagnosis, limits: DEFAULT_LIMITS, rows: () => [] };
  const result = judge(look, { warning: parseThresholds('-w', ['5']), critical: {} }, false);
  assert.deepEqual([result.state, valuesOf(result).stuck], ['OK', 0]);
});

test('sockets whose age is hidden count, as for the limits of the report', () => {
  const all = sockets(30, { timer: 'keepalive', lastAckReceivedMs: 500 });
  const of = snapshot({ sockets: all, processes: [process({ sockets: holding(...all) })] });
  assert.equal(valuesOf(checked(of)).stuck, 30);
});

test('what could not be seen is UNKNOWN with the remedy, and never OK', () => {
  for (const code of ['NETNS_DENIED', 'NETNS_UNKNOWN', 'PROC_HIDDEN'] as const) {
    const { state, summary } = checked(snapshot({ gaps: [gap(code)] }));
    assert.equal(state, 'UNKNOWN');
    assert.equal(summary, `not everything could be seen: something; run as root [${code}]`);
  }
});

test('what was seen all the same is told before what was not', () => {
  assert.equal(checked(leak(10, 31 * MINUTE, { gaps: [gap('NETNS_UNKNOWN')] })).state, 'CRITICAL');
});

test('descriptors that may not be read matter when a socket may belong to them', () => {
  const gaps = [gap('FDS_DENIED')];
  assert.equal(checked(snapshot({ gaps })).state, 'OK');
  assert.equal(checked(snapshot({ gaps, sockets: sockets(1) })).state, 'UNKNOWN');
});

test('of named processes that can be read, namespaces of others do not matter', () => {
  assert.equal(checked(snapshot({ gaps: [gap('NETNS_UNKNOWN')] }), { ofProcesses: true }).state, 'OK');
  assert.equal(checked(snapshot({ gaps: [gap('FDS_DENIED')] }), { ofProcesses: true }).state, 'UNKNOWN');
});

test('without ages nothing is known to be stuck, so it is not OK', () => {
  const unknownAge = sockets(1).map(({ lastAckReceivedMs: _a, lastDataReceivedMs: _d, ...rest }) => rest);
  const gaps = [gap('NETLINK_UNAVAILABLE')];
  assert.equal(checked(snapshot({ gaps })).state, 'OK');
  assert.equal(checked(snapshot({ gaps, sockets: unknownAge })).state, 'UNKNOWN');
});

test('a share that is not known is U', () => {
  assert.match(firstLine(checked(snapshot({ sockets: sockets(1) }))), / fds=U;;;0;100 /);
});

test('whatever a program calls itself, no bar and no second line get into the first', () => {
  const all = sockets(10, aged(MINUTE * 99));
  const nasty = process({ name: 'a|b\nc\u001b[31m', sockets: holding(...all) });
  const line = firstLine(checked(snapshot({ sockets: all, processes: [nasty] })));
  assert.equal(line.split('|').length, 2);
  assert.match(line, /stuck=10/);
  assert.doesNotMatch(line, /\u001b/);
});

test('a long summary is cut, and its numbers are not', () => {
  const result = checked(snapshot());
  const line = firstLine({ ...result, summary: 'x'.repeat(5000) });
  assert.ok(line.length < 500 && line.endsWith('close_wait=0;;;0'));
});

test('findings follow in a line each, with --verbose with their evidence and next steps', () => {
  const result = checked(leak(10, 31 * MINUTE));
  const [, ...lines] = renderCheck(result, describeFinding, false).trimEnd().split('\n');
  assert.deepEqual(lines, ['CRITICAL gunicorn (pid 812), 10 connections, unknown: older than 30 min']);
  const verbose = renderCheck(result, describeFinding, true);
  assert.match(verbose, /\n {2}why: Recv-Q 0 on all 10: /);
  assert.match(verbose, /\n {2}do: unclosed 812 --sockets \(/);
});
