import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Inspect } from '../../src/app/evidence.ts';
import { carryOut, prepareRelief, releaseTargets } from '../../src/app/relief.ts';
import { ActionLog } from '../../src/app/state.ts';
import { DEFAULT_LIMITS } from '../../src/model/finding.ts';
import { unclosed } from './cli.ts';
import { missing, startWorkload } from './workload.ts';

// What is saved before anything is done, and that nothing which goes wrong there keeps help away.

const skip = missing('root', 'python3');
let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'unclosed-evidence-'));
});
after(() => rmSync(folder, { recursive: true }));

/** Ends the connections of a leaking program after it was looked into in this way. */
async function relieveWith(inspect: Inspect | undefined) {
  const { truth, stop } = await startWorkload('missing-close', { count: 3, args: ['--seconds-before', '1.5'] });
  const options = {
    whom: { pids: [truth.pid] },
    limits: { ...DEFAULT_LIMITS, stuckAfterMs: 1000 },
    olderThanMs: 1000,
    action: 'shutdown' as const,
    socketsOnly: true,
    graceMs: 1000,
    kill: false,
    evidence: true,
    ...(inspect && { inspect }),
  };
  const relief = await prepareRelief(options);
  try {
    const log = new ActionLog(mkdtempSync(join(folder, 'state-')), 'relieve', {});
    const { results, evidence } = await carryOut(relief, log, options);
    assert.deepEqual(
      results.map(({ verdict }) => verdict.result),
      ['done'],
    );
    return { pid: truth.pid, evidence };
  } finally {
    releaseTargets(relief);
    await stop();
  }
}

test('what a process tells of itself lies in the recording, which is whole', { skip }, async () => {
  const asked: number[] = [];
  const { pid, evidence } = await relieveWith(async (it) => {
    asked.push(it);
    return '{"threads":4}\n';
  });
  const path = join(evidence?.recording ?? '', `inspect-${pid}.json`);
  assert.deepEqual([asked, evidence?.inspected], [[pid], [{ pid, path }]]);
  assert.equal(readFileSync(path, 'utf8'), '{"threads":4}\n');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const report = await unclosed(
    '--from',
    evidence?.recording ?? '',
    '--stuck-after',
    '1s',
    '-p',
    String(pid),
    '--json',
  );
  assert.equal(JSON.parse(report.stdout).findings[0].sockets, 3);
});

test('a process that says nothing, fails, or never answers is helped all the same', { skip }, async () => {
  const none = await relieveWith(async () => undefined);
  assert.deepEqual([none.evidence?.inspected, none.evidence?.missed], [[], []]);
  const failing = await relieveWith(() => {
    throw new Error('no agent');
  });
  assert.deepEqual(failing.evidence?.missed, [{ pid: failing.pid, why: 'no agent' }]);
  const silent = await relieveWith(() => new Promise(() => {}));
  assert.deepEqual(silent.evidence?.missed, [{ pid: silent.pid, why: 'no answer in 5 s' }]);
  assert.equal(existsSync(join(silent.evidence?.recording ?? '', 'meta.json')), true);
});
