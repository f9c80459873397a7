import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { LogFindings } from '../../src/model/logs.ts';
import { containerLogs } from '../../src/runtimes/logs/container.ts';
import { readJournal } from '../../src/runtimes/logs/journal.ts';
import { readLogs } from '../../src/runtimes/logs/read.ts';
import { subjectOf } from './inside.ts';
import { lookAsNobody, NOBODY, startReady, workshop } from './program.ts';
import { missing } from './workload.ts';

type Said = { pid: number };

const skip = missing('cc', 'root', 'mkfifo', 'setpriv');
const shop = workshop();
let program = '';
before(() => {
  if (!skip) program = shop.compile('threads.c');
});
after(() => shop.clear());

/** Runs the program with these files open for writing, and reads its logs. */
async function logsOf(files: number[], stderr: number | 'pipe' = 'pipe'): Promise<LogFindings> {
  const said = await startReady<Said>([program, 'poll'], { files, stderr });
  for (const fd of files) closeSync(fd);
  try {
    const { subject } = await subjectOf(said.pid, 'read');
    return await readLogs(subject, Date.now());
  } finally {
    await said.stop();
  }
}

const folder = (): string => mkdtempSync(join(shop.folder, 'logs-'));
const stamp = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').replace('.', ',').slice(0, 23);

test('lines without a time that were written a while later make no zone of that while', { skip }, async () => {
  const now = Date.now();
  const written = now - 15 * 60_000;
  const log = openSync(join(folder(), 'app.log'), 'a');
  writeSync(log, `${stamp(written)} ERROR OSError: [Errno 24] Too many open files\n`);
  writeSync(log, 'it goes on\n');
  const { messages } = await logsOf([log]);
  const own = new Date(written).getTimezoneOffset() * 60_000;
  assert.ok(Math.abs((messages[0]?.first ?? 0) - (written + own)) < 2, `${messages[0]?.first} for ${written + own}`);
});

test('standard error and an open log are read, with counts, times, sources and a masked example', {
  skip,
}, async () => {
  const at = folder();
  const now = Date.now();
  const log = openSync(join(at, 'app.log'), 'a');
  writeSync(log, `${stamp(now - 60_000)} INFO up\n`);
  writeSync(log, `${stamp(now - 1000)} ERROR OSError: [Errno 24] Too many open files\n`);
  writeSync(log, `${stamp(now)} ERROR OSError: [Errno 24] Too many open files password=hunter2\n`);
  writeFileSync(join(at, 'app.log.1'), 'older\n');
  writeFileSync(join(at, 'app.log.2.gz'), '');
  const stderr = openSync(join(at, 'stderr.txt'), 'a');
  writeSync(stderr, 'Error: read ECONNRESET\nError: read ECONNRESET\n');
  const { sources, messages, outputs, gaps } = await logsOf([log], stderr);
  closeSync(stderr);
  assert.deepEqual(
    sources.map(({ name, stream, fd, lines, rotated }) => [name.slice(at.length + 1), stream, fd, lines, rotated]),
    [
      ['stderr.txt', 'stderr', 2, 2, undefined],
      ['app.log', undefined, 3, 3, 2],
    ],
  );
  assert.ok(Math.abs((sources[1]?.from ?? 0) - (now - 60_000)) < 2, 'the zone comes from the time of the file');
  assert.deepEqual(
    messages.map(({ id, count, source }) => [id, count, source.slice(at.length + 1)]),
    [
      ['too-many-open-files', 2, 'app.log'],
      ['connection-reset', 2, 'stderr.txt'],
    ],
  );
  assert.match(messages[0]?.example ?? '', /password=\*\*\*/);
  assert.equal(outputs.stderr, join(at, 'stderr.txt'));
  assert.deepEqual(gaps, []);
});

test('a pipe that is called a log is not opened, nor is a database', { skip }, async () => {
  const at = folder();
  spawnSync('mkfifo', [join(at, 'app.log')]);
  const pipe = openSync(join(at, 'app.log'), 'r+');
  const database = openSync(join(at, 'login.db'), 'a');
  const binary = openSync(join(at, 'binary.log'), 'a');
  writeSync(binary, 'EMFILE\0EMFILE\n');
  const { sources, messages, gaps } = await logsOf([pipe, database, binary]);
  assert.deepEqual([sources, messages], [[], []]);
  assert.deepEqual(
    gaps.map(({ code }) => code),
    ['LOGS_UNREADABLE'],
  );
});

test('of a large log the last 2 MB are read, also when it is one line', { skip }, async () => {
  const at = folder();
  const large = openSync(join(at, 'large.log'), 'a');
  const line = 'GET /orders 200 in 12 ms for a customer\n';
  writeSync(large, `Broken pipe\n${line.repeat(100_000)}Broken pipe\n`);
  const huge = openSync(join(at, 'huge.log'), 'a');
  writeSync(huge, `${'x'.repeat(5_000_000)} EMFILE ${'y'.repeat(100_000)}`);
  const began = performance.now();
  const { sources, messages } = await logsOf([large, huge]);
  assert.ok(performance.now() - began < 3000);
  const read = sources.find(({ name }) => name.endsWith('large.log'));
  assert.equal(read?.size, 4_000_024);
  assert.ok((read?.bytes ?? 0) > 2_000_000 && (read?.bytes ?? 0) <= 2_097_152);
  assert.deepEqual(
    messages.map(({ id, count }) => [id, count]),
    [
      ['too-many-open-files', 1],
      ['broken-pipe', 1],
    ],
  );
});

test('standard output in a file is a log under any name', { skip }, async () => {
  const path = join(folder(), 'journal');
  const child = spawn('sh', ['-c', `exec "${program}" poll > "${path}"`], { stdio: ['pipe', 'ignore', 'ignore'] });
  try {
    let text = '';
    while (!/READY .*\n/.test(text)) {
      await setImmediate();
      text = readIfThere(path);
    }
    writeFileSync(path, 'worker_connections are not enough\n', { flag: 'a' });
    const { subject } = await subjectOf(child.pid ?? 0, 'read');
    const { sources, messages, outputs } = await readLogs(subject, Date.now());
    assert.deepEqual([sources[0]?.stream, outputs.stdout, messages[0]?.id], ['stdout', path, 'nginx-connections']);
  } finally {
    child.kill('SIGKILL');
  }
});

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

test('output in a pipe or in /dev/null is a gap that says so', { skip }, async () => {
  const said = await startReady<Said>(['sh', '-c', '"$0" poll 2>/dev/null | cat', program]);
  try {
    const { subject } = await subjectOf(said.pid, 'read');
    const { outputs, gaps } = await readLogs(subject, Date.now());
    assert.match(outputs.stdout ?? '', /^pipe:\[/);
    assert.equal(outputs.stderr, '/dev/null');
    assert.deepEqual(
      gaps.map(({ what }) => what.replace(/ goes to.*/, '')),
      ['its standard output', 'its standard error'],
    );
  } finally {
    await said.stop();
  }
});

test('who may not read a log, or not enter its folder, does not get to it by the descriptor of the process', {
  skip,
}, async () => {
  const at = folder();
  chmodSync(shop.folder, 0o755);
  chmodSync(at, 0o755);
  const secret = join(at, 'secret.log');
  writeFileSync(secret, 'EMFILE secret\n', { mode: 0o600 });
  mkdirSync(join(at, 'closed'), { mode: 0o700 });
  const enclosed = join(at, 'closed', 'inner.log');
  writeFileSync(enclosed, 'EMFILE inner\n', { mode: 0o644 });
  const open = join(at, 'open.log');
  writeFileSync(open, 'EPIPE\n', { mode: 0o644 });
  const files = [secret, enclosed, open].map((path) => openSync(path, 'a'));
  const ids = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups'];
  const said = await startReady<Said>(['setpriv', ...ids, program, 'poll'], { files });
  for (const fd of files) closeSync(fd);
  try {
    const { logs } = await lookAsNobody(said.pid);
    assert.deepEqual(
      logs.sources.map(({ name }) => name),
      [open],
    );
    assert.deepEqual(
      logs.messages.map(({ id }) => id),
      ['broken-pipe'],
    );
    const refused = logs.gaps.filter(({ code }) => code === 'LOGS_UNREADABLE').map(({ what }) => what.split(':')[0]);
    assert.deepEqual(refused.toSorted(), [enclosed, secret]);
  } finally {
    await said.stop();
  }
});

test('the journal of a unit is asked for its newest lines, and a refusal is said', { skip }, async () => {
  const at = folder();
  const { PATH } = process.env;
  const stand = (script: string): void =>
    writeFileSync(join(at, 'journalctl'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const { signal } = new AbortController();
  try {
    process.env.PATH = `${at}:${PATH}`;
    stand(`echo "{\\"MESSAGE\\":\\"$*\\",\\"__REALTIME_TIMESTAMP\\":\\"1795144364120456\\"}"`);
    const answer = await readJournal('shop.service', signal);
    assert.match('text' in answer ? answer.text : '', /-u shop\.service -o json -n 5000 --no-pager/);
    stand('echo "No journal files were opened due to insufficient permissions." >&2; exit 1');
    assert.deepEqual(await readJournal('shop.service', signal), {
      why: 'No journal files were opened due to insufficient permissions.',
    });
    stand('exec sleep 60');
    const early = new AbortController();
    const asked = readJournal('shop.service', early.signal);
    early.abort();
    assert.deepEqual(await asked, { why: 'it was ended early' });
    rmSync(join(at, 'journalctl'));
    process.env.PATH = at;
    assert.deepEqual(await readJournal('shop.service', signal), { why: 'journalctl is not installed' });
  } finally {
    process.env.PATH = PATH;
  }
});

test('logs of containers are where their engines keep them, and an id that leads elsewhere leads nowhere', () => {
  const paths = (id: string) => containerLogs({ container: { engine: 'docker', id } }).map(({ path }) => path);
  assert.equal(paths('4f9a')[0], '/var/lib/docker/containers/4f9a/4f9a-json.log');
  assert.deepEqual(paths('../../etc'), []);
  const pod = { name: 'shop-1', namespace: 'web', uid: 'u-1' };
  const [first] = containerLogs({ container: { engine: 'containerd', id: '4f9a', name: 'app' }, pod });
  assert.deepEqual(first, { path: '/var/log/pods/web_shop-1_u-1/app/19.log', form: 'cri' });
});
