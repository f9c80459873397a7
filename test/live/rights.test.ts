import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { JsonReport } from './cli.ts';
import { missing, startWorkload } from './workload.ts';

const run = promisify(execFile);
const skip = missing('root', 'python3');
const NOBODY = 65_534;
const BIN = fileURLToPath(new URL('../../src/bin.ts', import.meta.url));

// The checkout may lie where nobody can read it, so the modules are loaded first and the rights dropped then.
const PROGRAM = `
const { look } = await import(${JSON.stringify(new URL('../../src/app/look.ts', import.meta.url).href)});
await import(${JSON.stringify(new URL('../../src/kernel/fast.ts', import.meta.url).href)});
const { renderJson } = await import(${JSON.stringify(new URL('../../src/render/json.ts', import.meta.url).href)});
process.setgroups([]);
process.setgid(${NOBODY});
process.setuid(${NOBODY});
const { snapshot, diagnosis, rows } = await look({ stuckAfterMs: 0 });
process.stdout.write(renderJson(snapshot, diagnosis, rows()));
`;

async function reportOfNobody(): Promise<JsonReport> {
  const { stdout } = await run(process.execPath, ['--input-type=module-typescript', '-e', PROGRAM], { maxBuffer: 1e8 });
  return JSON.parse(stdout);
}

test('without rights the sockets are listed, and what is missing is said with the remedy', { skip }, async () => {
  const { truth, stop } = await startWorkload('missing-close');
  try {
    const report = await reportOfNobody();
    const sockets = report.sockets.filter(({ local }) => local.port === truth.port);
    assert.equal(sockets.length, truth.count);
    assert.ok(sockets.every(({ holders, uid }) => holders.length === 0 && uid === 0));
    assert.ok(sockets.every(({ age }) => age.at_least !== null));
    const denied = report.gaps.find(({ code }) => code === 'FDS_DENIED') as
      | { remedy?: string; effect?: string }
      | undefined;
    assert.match(denied?.remedy ?? '', /root|CAP_SYS_PTRACE/);
    assert.match(denied?.effect ?? '', /sockets? in this report may belong/);
    const finding = report.findings.find(({ listener }) => listener?.port === truth.port);
    assert.equal(finding?.holder, null);
    assert.equal(finding?.cause, 'unknown');
  } finally {
    await stop();
  }
});

const noPtrace = missing('root', 'python3', 'setpriv');

test('root without CAP_SYS_PTRACE may list descriptors but not follow them: no false "nothing stuck"', {
  skip: noPtrace,
}, async () => {
  const { truth, stop } = await startWorkload('missing-close');
  const asked = ['--bounding-set', '-sys_ptrace', process.execPath, BIN, '--stuck-after', '0s', '--source', 'netlink'];
  try {
    const one = await run('setpriv', [...asked, String(truth.pid)]).catch((error) => error);
    assert.equal(one.code, 2);
    assert.match(one.stderr, /FDS_DENIED/);
    const all = await run('setpriv', [...asked, '--port', String(truth.port)]).catch((error) => error);
    assert.equal(all.code, 1);
    assert.match(all.stdout, /23 connections wait to be closed/);
    assert.match(all.stdout, /FDS_DENIED/);
  } finally {
    await stop();
  }
});

test('a filter that matches no process is an error', { skip }, async () => {
  for (const filter of [
    ['-c', 'no-such-name'],
    ['--unit', 'no-such.service'],
    ['--container', 'no-such'],
  ]) {
    const { code, stderr } = await run(process.execPath, [BIN, ...filter]).catch((error) => error);
    assert.equal(code, 2);
    assert.match(stderr, /NOTHING_MATCHES/);
  }
});
