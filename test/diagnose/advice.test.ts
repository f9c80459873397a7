import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADVICE, nextSteps } from '../../src/diagnose/advice/index.ts';
import type { Case, Cause, WaitGroup } from '../../src/model/finding.ts';
import type { LibraryName, Process, Runtime } from '../../src/model/process.ts';
import { caseOf, listener, process } from '../helpers/model.ts';

const CAUSES = Object.keys(ADVICE) as Cause[];
const RUNTIMES: Runtime[] = ['java', 'node', 'python', 'go', 'ruby', 'php', 'perl', 'dotnet', 'native'];

const inbound = (fields: Partial<Process>): Case => caseOf({ process: process(fields), listener: listener() });

const outbound = (port: number, fields: Partial<Process>): Case =>
  caseOf({
    process: process(fields),
    direction: 'outbound',
    peers: [{ address: '10.0.0.7', port, sockets: 1 }],
  });

const using = (runtime: Runtime, ...names: LibraryName[]): Partial<Process> => ({
  runtime,
  libraries: names.map((name) => ({ name })),
});

/** The steps as a text. */
const advise = (cause: Cause, subject: Case): string[] =>
  nextSteps(cause, subject, true).map(({ command, why }) => (command === undefined ? why : `${command}: ${why}`));

/** Threads that wait for an answer of this port that never comes. */
const waiting = (port: number): WaitGroup => ({
  threads: 4,
  kind: 'receive',
  end: { address: '10.0.4.7', port, service: 'redis', sockets: 1 },
  silentMs: 600_000,
});

test('every cause with advice has one to four steps for every runtime, in both directions', () => {
  for (const cause of CAUSES) {
    for (const runtime of [...RUNTIMES, undefined]) {
      for (const subject of [inbound(runtime ? { runtime } : {}), outbound(443, runtime ? { runtime } : {})]) {
        const steps = nextSteps(cause, subject, true);
        assert.ok(steps.length >= 1 && steps.length <= 4, `${cause} ${runtime} has ${steps.length} steps`);
      }
    }
  }
});

test('what is no fault gets no advice', () => {
  assert.deepEqual([advise('churn', caseOf()), advise('half-close', caseOf())], [[], []]);
});

test('a fix fits into three lines of 76 columns, and comes once', () => {
  for (const [cause, { fixes, inVain }] of Object.entries(ADVICE)) {
    for (const text of [...fixes.map((fix) => fix.text), inVain ?? '']) assert.ok(text.length <= 160, text);
    const keys = fixes.map((fix) => `${fix.for} ${fix.when} ${fix.text}`);
    assert.equal(new Set(keys).size, keys.length, cause);
  }
});

test('the fix for a recognised library comes before that for the runtime', () => {
  const [first, second] = advise('missing-close', outbound(443, using('java', 'OkHttp')));
  assert.match(first ?? '', /^OkHttp: /);
  assert.match(second ?? '', /^Java: /);
});

test('connections to a database are no matter of a web client, and those to a web server none of a database pool', () => {
  const both = using('java', 'HikariCP', 'OkHttp');
  assert.match(advise('stale-pool', outbound(5432, both))[0] ?? '', /^HikariCP: /);
  assert.match(advise('stale-pool', outbound(443, both))[0] ?? '', /^OkHttp: /);
});

test('advice on servers is for inbound connections, and that on clients for outbound ones', () => {
  const flask = using('python', 'gunicorn', 'requests');
  assert.ok(!advise('missing-close', inbound(flask)).some((step) => step.startsWith('requests')));
  assert.ok(advise('missing-close', outbound(443, flask)).some((step) => step.startsWith('requests')));
  assert.ok(!advise('missing-close', inbound({ runtime: 'go' })).some((step) => step.includes('resp.Body')));
});

test('who runs nginx or HAProxy is not told how to write C', () => {
  for (const [name, option] of [
    ['nginx', 'proxy_timeout'],
    ['HAProxy', 'timeout client-fin'],
  ] as const) {
    assert.match(advise('proxy-leg', inbound(using('native', name))).join('\n'), new RegExp(option));
    assert.doesNotMatch(advise('missing-close', inbound(using('native', name))).join('\n'), /read\(\)/);
  }
});

test('who waits for a service that says nothing is told which, and how the calls get a time-out', () => {
  const waits = { threads: 4, groups: [waiting(6379)] };
  const steps = advise('stalled', { ...inbound(using('python', 'gunicorn')), waits });
  assert.match(steps[0] ?? '', /10\.0\.4\.7:6379 \(redis\)/);
  assert.match(steps[1] ?? '', /^gunicorn: --timeout/);
  assert.match(steps[2] ?? '', /unclosed inspect/);
  assert.match(steps[3] ?? '', /will not help: more workers/);
});

test('a time-out is no advice for a program that spins', () => {
  const waits = { threads: 1, groups: [{ threads: 1 }] };
  assert.deepEqual(
    advise('stalled', { ...inbound({ runtime: 'java' }), waits }).map((step) => step.slice(0, 29)),
    ['unclosed inspect 812 --attach'],
  );
});

test('where nothing is known that does not answer, what the threads do comes first', () => {
  const waits = { threads: 4, groups: [{ threads: 4, kind: 'lock' as const }] };
  const [first, second] = advise('stalled', { ...inbound({ runtime: 'java' }), waits });
  assert.match(first ?? '', /^unclosed inspect 812 --attach/);
  assert.match(second ?? '', /^Java: Socket\.setSoTimeout/);
});

test('a stopped process is let go, and one that a debugger holds is not', () => {
  const [first, ...more] = advise('stalled', inbound({ state: 'stopped' }));
  assert.match(first ?? '', /^kill -CONT 812/);
  assert.deepEqual(more, []);
  assert.match(advise('stalled', inbound({ state: 'traced' }))[0] ?? '', /debugger/);
});

test('whoever inherited a connection is named', () => {
  const child = process({ pid: 900, name: 'worker' });
  const [first] = advise('inherited-fd', { ...inbound({}), coHolders: [{ process: child, sockets: 1 }] });
  assert.match(first ?? '', /gunicorn \(pid 812\), worker \(pid 900\)/);
});

test('commands that are named exist, and none of them ends a process', () => {
  const subjects = RUNTIMES.flatMap((runtime) => [inbound({ runtime }), outbound(443, { runtime })]);
  for (const cause of [...CAUSES, 'unknown'] as Cause[]) {
    for (const { command = '' } of subjects.flatMap((subject) => nextSteps(cause, subject, false))) {
      assert.match(
        command,
        /^(?:$|unclosed [0-9]+ --sockets$|unclosed inspect 812(?: --attach)?$|sudo unclosed$|kill -CONT|lsof)/,
      );
    }
  }
});
