import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { carryOut, prepareRelief, releaseTargets } from '../../src/app/relief.ts';
import { ActionLog } from '../../src/app/state.ts';
import { Target } from '../../src/kernel/target.ts';
import { SystemError } from '../../src/model/errors.ts';
import { DEFAULT_LIMITS } from '../../src/model/finding.ts';
import { reportEverything, socketsAt, unclosed } from './cli.ts';
import { missing, startWorkload, type Truth } from './workload.ts';

// That it is the right process and the right socket, whatever happens in between.

const skip = missing('root', 'python3', 'ip', 'script');
const BIN = fileURLToPath(new URL('../../src/bin.ts', import.meta.url));
let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'unclosed-whom-'));
});
after(() => rmSync(folder, { recursive: true }));

const old = ['--seconds-before', '1.5'];
const END = ['--action', 'shutdown', '--sockets-only', '--older-than', '1s', '--no-evidence'];
const run = (...args: string[]) => unclosed('relieve', '--state', join(folder, 'state'), ...args);
const stuckAt = async (truth: Truth): Promise<number> => socketsAt(await reportEverything(), truth).length;
const startedAt = async (pid: number): Promise<number> => {
  const { stdout } = await unclosed('-p', String(pid), '--stuck-after', '0s', '--json');
  return Date.parse(JSON.parse(stdout).findings[0].holder.started_at) / 1000;
};
const refusedWith = (code: string) => (error: unknown) => error instanceof SystemError && error.code === code;

test('younger connections than asked for are left as they are', { skip }, async () => {
  const { truth, stop } = await startWorkload('missing-close', { args: old });
  try {
    const it = await run(String(truth.pid), ...END.slice(0, 3), '--older-than', '1h', '--yes');
    assert.equal(it.code, 12, it.stdout);
    assert.match(it.stdout, /Refused: these connections are young/);
    assert.equal(await stuckAt(truth), truth.count);
  } finally {
    await stop();
  }
});

test('connections that a process which was not named has open too are left as they are', { skip }, async () => {
  const { truth, stop } = await startWorkload('inherited', { count: 5, args: old });
  try {
    for (const pid of truth.pids) {
      const it = await run(String(pid), ...END, '--yes');
      assert.equal(it.code, 11, it.stdout + it.stderr);
      assert.match(it.stdout, new RegExp(`pid ${pid}\\b`));
      assert.match(it.stdout, /left out: 5 also open in other processes/);
    }
    assert.equal(await stuckAt(truth), truth.count);
  } finally {
    await stop();
  }
});

test('a listener stands for the connections that came in there', { skip }, async () => {
  const here = await startWorkload('missing-close', { count: 5, args: old });
  const there = await startWorkload('missing-close', { count: 7, args: old });
  try {
    for (const wrong of [`127.0.0.2:${here.truth.port}`, '1'])
      assert.equal((await run('--listener', wrong, ...END, '--yes')).code, 2);
    const it = await run('--listener', `127.0.0.1:${here.truth.port}`, ...END, '--yes');
    assert.equal(it.code, 0, it.stdout + it.stderr);
    assert.deepEqual([await stuckAt(here.truth), await stuckAt(there.truth)], [0, 7]);
  } finally {
    await here.stop();
    await there.stop();
  }
});

test('a process that ends after it was shown is not mistaken for another one', { skip }, async () => {
  const { truth, stop } = await startWorkload('missing-close', { count: 5, args: old });
  const options = {
    whom: { pids: [truth.pid] },
    limits: { ...DEFAULT_LIMITS, stuckAfterMs: 1000 },
    olderThanMs: 1000,
    action: 'terminate' as const,
    socketsOnly: false,
  };
  const relief = await prepareRelief(options);
  try {
    assert.equal(relief.targets.size, 1);
    await stop();
    const log = new ActionLog(folder, 'relieve', {});
    const { results } = await carryOut(relief, log, { ...options, graceMs: 1000, kill: true, evidence: false });
    assert.deepEqual(
      results.map(({ verdict }) => verdict),
      [{ result: 'failed', text: 'not done: the process has ended meanwhile' }],
    );
    assert.deepEqual(
      log.entries().map(({ event }) => event),
      ['begin', 'end'],
    );
  } finally {
    releaseTargets(relief);
    await stop();
  }
});

test('a pid that is another process by now is refused before and after it was taken hold of', { skip }, async () => {
  const { truth, stop } = await startWorkload('missing-close', { count: 3, args: old });
  try {
    const begun = await startedAt(truth.pid);
    new Target(truth.pid, begun).close();
    assert.throws(() => new Target(truth.pid, begun - 60), refusedWith('ESTALE'));
    const target = new Target(truth.pid, begun);
    await stop();
    assert.throws(() => target.signal('SIGTERM'), refusedWith('ESRCH'));
    assert.throws(() => target.raiseFdLimit(4096), refusedWith('ESRCH'));
    assert.throws(() => target.withSocket(3, 1, () => 'acted'), refusedWith('ESRCH'));
    assert.equal(target.hasEnded(), true);
    target.close();
  } finally {
    await stop();
  }
});

test('a process that runs another program by now is refused', { skip }, async () => {
  const child = spawn('sh', ['-c', 'read line; exec sleep 60'], { stdio: ['pipe', 'ignore', 'ignore'] });
  try {
    const pid = child.pid ?? 0;
    const boot = Date.now() / 1000 - Number(execFileSync('cat', ['/proc/uptime'], { encoding: 'utf8' }).split(' ')[0]);
    const ticks = execFileSync('cat', [`/proc/${pid}/stat`], { encoding: 'utf8' })
      .replace(/^.*\) /, '')
      .split(' ')[19];
    const target = new Target(pid, boot + Number(ticks) / 100);
    target.require();
    child.stdin.write('\n');
    const comm = (): string => execFileSync('cat', [`/proc/${pid}/comm`], { encoding: 'utf8' }).trim();
    for (const end = Date.now() + 5000; comm() !== 'sleep' && Date.now() < end; );
    assert.throws(() => target.signal('SIGTERM'), refusedWith('ESTALE'));
    target.close();
  } finally {
    child.kill('SIGKILL');
  }
});

test('a descriptor that is another socket by now is not acted on', { skip }, async () => {
  const { truth, stop } = await startWorkload('missing-close', { count: 3, args: old });
  try {
    const target = new Target(truth.pid, await startedAt(truth.pid));
    const [fd = 0, next = 0] = truth.fds;
    const [inode = 0] = truth.inodes;
    assert.equal(
      target.withSocket(fd, inode, (it) => it.look().isCloseWait),
      true,
    );
    assert.throws(() => target.withSocket(next, inode, () => 'acted'), refusedWith('ESTALE'));
    assert.throws(() => target.withSocket(1, inode, () => 'acted'), refusedWith('ESTALE'));
    assert.throws(() => target.withSocket(9999, inode, () => 'acted'), refusedWith('EBADF'));
    target.close();
    assert.equal(await stuckAt(truth), 3);
  } finally {
    await stop();
  }
});

test('SIGTERM ends; a process that ignores it stays, until --kill is given', { skip }, async () => {
  const polite = await startWorkload('unread', { count: 3, args: old });
  const it = await run(
    String(polite.truth.pid),
    '--action',
    'terminate',
    '--older-than',
    '1s',
    '--yes',
    '--no-evidence',
  );
  assert.equal(it.code, 0, it.stdout + it.stderr);
  assert.equal(existsSync(`/proc/${polite.truth.pid}`), false);
  await polite.stop();

  process.once('SIGTERM', () => {});
  const workload = fileURLToPath(new URL('../../workloads/stuck.py', import.meta.url));
  const command = `trap "" TERM; exec python3 ${workload} unread --count 3 --seconds-before 1.5`;
  const child = spawn('sh', ['-c', command], { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
  try {
    let text = '';
    for await (const data of child.stdout) {
      text += data;
      if (text.includes('\n')) break;
    }
    const { pid } = JSON.parse(text.slice('READY '.length)) as Truth;
    const args = [
      String(pid),
      '--action',
      'terminate',
      '--older-than',
      '1s',
      '--grace',
      '1s',
      '--yes',
      '--no-evidence',
    ];
    const stays = await run(...args);
    assert.equal(stays.code, 13, stays.stdout + stays.stderr);
    assert.match(stays.stdout, /has not ended 1 s after\s+SIGTERM/);
    const killed = await run(...args, '--kill');
    assert.equal(killed.code, 0, killed.stdout + killed.stderr);
  } finally {
    if (child.pid) process.kill(-child.pid, 'SIGKILL');
  }
});

test('it never acts on itself or on what it runs below', { skip }, async () => {
  const it = await run(String(process.pid), '--action', 'terminate', '--yes');
  assert.notEqual(it.code, 0);
  assert.equal(existsSync(`/proc/${process.pid}`), true);
});

test('--ask does it for the word yes alone, and needs a terminal', { skip }, async () => {
  const { truth, stop } = await startWorkload('missing-close', { count: 3, args: old });
  try {
    assert.equal((await run(String(truth.pid), ...END, '--ask')).code, 2);
    const asked = (answer: string): string =>
      execFileSync(
        'script',
        [
          '-qec',
          `${process.execPath} ${BIN} relieve ${truth.pid} ${END.join(' ')} --ask --state ${folder}/ask; echo "code $?"`,
          '/dev/null',
        ],
        {
          input: `${answer}\n`,
          encoding: 'utf8',
        },
      );
    assert.match(asked('y'), /code 10/);
    assert.equal(await stuckAt(truth), 3);
    assert.match(asked('yes'), /code 0/);
    assert.equal(await stuckAt(truth), 0);
  } finally {
    await stop();
  }
});
