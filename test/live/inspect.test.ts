import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parseTarGzip } from 'nanotar';
import { BIN, type Run, unclosed } from './cli.ts';
import { missing, startProgram, startWorkload } from './workload.ts';

// The commands that look inside, as somebody types them. What each runtime tells is tested beside its reader.

const skip = missing('root', 'python3');
let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'unclosed-inspect-'));
});
after(() => rmSync(folder, { recursive: true }));

const fits = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(
  JSON.parse(readFileSync(new URL('../../schema/inspect.json', import.meta.url), 'utf8')),
);
const words = (text: string): string => text.replace(/\s+/g, ' ');

test('a server that waits for a silent service is named with the line of code, and judged by it', {
  skip,
}, async () => {
  const { truth, stop } = await startProgram(['blocked.py']);
  try {
    const look = (): Promise<Run> => unclosed('inspect', String(truth.pid), '--stuck-after', '1s');
    let run = await look();
    for (let tries = 5; run.code === 0 && tries > 0; tries--) run = await look(); // they are a second old then
    assert.equal(run.code, 1, run.stderr);
    assert.match(words(run.stdout), /Code .*\(…?\/?.*blocked\.py:[0-9]+\)/);
    assert.match(run.stdout, new RegExp(`^Inside python3? .*pid ${truth.pid} · python 3`, 'm'));
    assert.match(words(run.stdout), new RegExp(`waits to receive from 127\\.0\\.0\\.1:${truth.cache_port}`));
    assert.ok(
      run.stdout.split('\n').every((line) => line.length <= 80 || !line.trim().includes(' ')),
      run.stdout,
    );
  } finally {
    await stop();
  }
});

test('the JSON form fits its schema, and the same process is the same afterwards', { skip }, async () => {
  const { truth, stop } = await startWorkload('missing-close', { count: 23, args: ['--seconds-before', '1.5'] });
  try {
    const same = /^(?:Tgid|TracerPid|FDSize|Threads|SigPnd|ShdPnd|SigBlk|SigIgn|SigCgt|Seccomp):.*$/gm;
    const status = (): string[] | null => readFileSync(`/proc/${truth.pid}/status`, 'latin1').match(same);
    const before = status();
    const run = await unclosed('inspect', '--json', '--stuck-after', '1s', String(truth.pid));
    assert.equal(run.code, 1, run.stderr);
    const document = JSON.parse(run.stdout);
    assert.equal(fits(document), true, JSON.stringify(fits.errors));
    assert.equal(document.inside[0].pid, truth.pid);
    assert.equal(document.report.findings[0].sockets, 23);
    assert.equal(document.report.sockets.length, 23);
    assert.deepEqual(document.inside[0].attachments, []);
    assert.deepEqual(status(), before);
  } finally {
    await stop();
  }
});

test('of a process without stuck connections those below it are looked into, and else itself', { skip }, async () => {
  const { truth, stop } = await startWorkload('inherited', { args: ['--parent-closes', '--seconds-before', '1.5'] });
  try {
    const parent = truth.parent_pid ?? truth.pid;
    const run = await unclosed('inspect', '--json', '--stuck-after', '1s', '--no-logs', String(parent));
    const { inside } = JSON.parse(run.stdout);
    const seen = inside.map(({ pid }: { pid: number }) => pid);
    assert.ok(
      truth.pids.some((pid) => seen.includes(pid)),
      `${seen} of ${truth.pids}`,
    );
  } finally {
    await stop();
  }
  const own = await unclosed('inspect', '--json', String(process.pid));
  assert.equal(JSON.parse(own.stdout).inside[0].pid, process.pid);
});

test('a process that is not there, or none at all, is an error with what to do', { skip }, async () => {
  const gone = await unclosed('inspect', '4194000');
  assert.equal(gone.code, 2);
  assert.match(gone.stderr, /NO_SUCH_PROCESS/);
  const none = await unclosed('inspect');
  assert.equal(none.code, 2);
  assert.match(none.stderr, /needs a process/);
  const url = await unclosed('inspect', '1', '--pprof', 'ftp://x');
  assert.equal(url.code, 2);
});

const SECRETS = ['hunter2', 'alice'];

test('a bundle holds the report, a recording that can be read, and no secrets of the command line', {
  skip,
}, async () => {
  const { truth, stop } = await startWorkload('nasty-name', { args: ['--seconds-before', '1.5'] });
  const path = join(folder, 'leak.tar.gz');
  try {
    const run = await unclosed('bundle', String(truth.pid), '-o', path, '--stuck-after', '1s');
    assert.equal(run.code, 0, run.stderr);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const again = await unclosed('bundle', String(truth.pid), '-o', path);
    assert.equal(again.code, 2, 'what is there is not replaced');
    assert.match(again.stderr, /BUNDLE_WRITE/);
  } finally {
    await stop();
  }
  const files = await parseTarGzip(readFileSync(path));
  const textOf = (name: string): string => files.find((file) => file.name.endsWith(`/${name}`))?.text ?? '';
  for (const name of ['README.md', 'inspect.txt', 'inspect.json', 'report.json', 'machine.json', 'recording/meta.json'])
    assert.ok(textOf(name).length > 0, name);
  assert.equal(fits(JSON.parse(textOf('inspect.json'))), true, JSON.stringify(fits.errors));
  assert.ok(JSON.parse(textOf('machine.json')).limits['Max open files'].length > 0);
  const everything = files.map(({ text }) => text).join('\n');
  assert.ok(!everything.includes(truth.argument ?? 'no argument'), 'arguments of the command line');
  for (const word of [...SECRETS, process.env.HOME ?? '/root/x'].filter((it) => it.length > 6))
    assert.ok(!everything.includes(word), word);
  assert.ok(!files.some(({ name }) => name.includes('environ')));
  // The recording inside is a whole one.
  const at = join(folder, 'unpacked');
  for (const { name, data } of files) {
    const rest = name.replace(/^[^/]+\//, '');
    mkdirSync(join(at, rest, '..'), { recursive: true });
    writeFileSync(join(at, rest), data ?? '');
  }
  const replay = await unclosed('--from', join(at, 'recording'), '--stuck-after', '1s', '--json');
  assert.equal(replay.code, 1, replay.stderr);
  assert.equal(JSON.parse(replay.stdout).totals.close_wait >= 23, true);
});

test('of a process of somebody else it is not said that nothing is stuck', { skip }, async () => {
  const child = spawn(process.execPath, [BIN, 'inspect', String(process.pid), '--no-logs'], {
    ...{ uid: 65_534, gid: 65_534, stdio: 'pipe' },
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  assert.equal(await new Promise((resolve) => child.on('close', resolve)), 2, out);
  assert.match(err, /\/proc\/[0-9]+\/fd: permission denied \[FDS_DENIED\]/);
  assert.equal(out, '');
});

test('a bundle that cannot be written is refused before anything is looked at', { skip }, async () => {
  const { truth, stop } = await startWorkload('missing-close', { count: 5 });
  try {
    const run = await unclosed('bundle', String(truth.pid), '--deep', '-o', join(folder, 'nowhere', 'leak.tar.gz'));
    assert.equal(run.code, 2, run.stdout);
    assert.match(run.stderr, /^unclosed: .*leak\.tar\.gz.* \[BUNDLE_WRITE\]/);
  } finally {
    await stop();
  }
});

test('names that look like marks of JSON, Markdown or a mail address leave a bundle whole', { skip }, async () => {
  // prctl(PR_SET_NAME)
  const named =
    'import ctypes; ctypes.CDLL(None).prctl(15, b"a|`b`\\nbob@x.org", 0, 0, 0); print("READY", flush=True); input()';
  const child = spawn('python3', ['-c', named], { stdio: ['pipe', 'pipe', 'inherit'] });
  const path = join(folder, 'nasty.tar.gz');
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const run = await unclosed('bundle', String(child.pid), '-o', path, '--no-logs');
    assert.equal(run.code, 0, run.stderr);
  } finally {
    child.kill('SIGKILL');
  }
  const files = await parseTarGzip(readFileSync(path));
  const textOf = (name: string): string => files.find((file) => file.name.endsWith(`/${name}`))?.text ?? '';
  for (const name of ['inspect.json', 'report.json']) {
    assert.ok(JSON.parse(textOf(name)));
    assert.doesNotMatch(textOf(name), /bob@/);
  }
  const [row = ''] = textOf('README.md').match(/^\| a.*\|$/m) ?? [];
  assert.equal(row.split('|').length, 5, row);
  assert.doesNotMatch(row, /`|bob/);
});

test('a look that is interrupted says so, and that nothing can be concluded from what is absent', {
  skip,
}, async () => {
  const { truth, stop } = await startWorkload('missing-close', { count: 5 });
  try {
    const { inspect } = await import('../../src/app/inspect.ts');
    const { liveMachine } = await import('../../src/app/machine.ts');
    const { diagnosis, inspections } = await inspect(await liveMachine(), {
      ...{ pids: [truth.pid], depth: 'read', logs: true, announce: () => {}, signal: AbortSignal.abort() },
    });
    assert.equal(inspections.length, 0);
    assert.ok(diagnosis.gaps.some(({ what }) => what.startsWith('it was interrupted')));
  } finally {
    await stop();
  }
});

test('a bundle goes through a pipe, and says on standard error what it is', { skip }, async () => {
  const { truth, stop } = await startWorkload('missing-close', { count: 5 });
  try {
    const child = spawn(process.execPath, [BIN, 'bundle', String(truth.pid), '-o', '-', '--no-logs'], {
      stdio: 'pipe',
    });
    const out: Buffer[] = [];
    let err = '';
    child.stdout.on('data', (data: Buffer) => out.push(data));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    assert.equal(await new Promise((resolve) => child.on('close', resolve)), 0, err);
    const files = await parseTarGzip(Buffer.concat(out));
    assert.ok(files.some(({ name }) => name.endsWith('/README.md')));
    assert.match(err, /wrote the archive/);
  } finally {
    await stop();
  }
});

test('what is about to be ended is looked into first, and that is kept', { skip }, async () => {
  const { truth, stop } = await startWorkload('missing-close', { count: 5, args: ['--seconds-before', '1.5'] });
  const state = join(folder, 'state');
  try {
    const how = ['--older-than', '1s', '--action', 'shutdown', '--sockets-only', '--state', state, '--yes'];
    const run = await unclosed('relieve', String(truth.pid), ...how);
    assert.ok([0, 13].includes(run.code ?? -1), run.stdout + run.stderr);
    const [evidence = ''] = readdirSync(join(state, 'evidence'));
    const path = join(state, 'evidence', evidence, `inspect-${truth.pid}.json`);
    assert.ok(existsSync(path), run.stdout);
    assert.equal(fits(JSON.parse(readFileSync(path, 'utf8'))), true, JSON.stringify(fits.errors));
  } finally {
    await stop();
  }
});
