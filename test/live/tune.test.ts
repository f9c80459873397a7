import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { unclosed } from './cli.ts';
import { missing, startWorkload } from './workload.ts';

// Parameters are changed in a network namespace made for the test, and nowhere else.

const skip = missing('root', 'python3', 'ip', 'unshare');
const NETNS = `unclosed-tune-${process.pid}`;
let folder = '';

before(() => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'unclosed-tune-'));
  execFileSync('ip', ['netns', 'add', NETNS]);
  execFileSync('ip', ['-n', NETNS, 'link', 'set', 'lo', 'up']);
});
after(() => {
  if (skip) return;
  execFileSync('ip', ['netns', 'del', NETNS]);
  rmSync(folder, { recursive: true });
});

const inNetns = (...command: string[]): string =>
  execFileSync('ip', ['netns', 'exec', NETNS, ...command], { encoding: 'utf8' }).trim();
const read = (name: string): string => inNetns('cat', `/proc/sys/net/ipv4/${name}`);
const write = (name: string, value: string): string =>
  inNetns('sh', '-c', `echo ${value} > /proc/sys/net/ipv4/${name}`);
const own = (name: string): string => readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').trim();

const tune = (...args: string[]) => unclosed('tune', '--netns', NETNS, '--state', join(folder, 'state'), ...args);

test('it counts the sockets that keepalive reaches, in the namespace where they are', { skip }, async () => {
  const with_ = await startWorkload('keepalive', { count: 2, args: ['--netns', NETNS] });
  const without = await startWorkload('missing-close', { count: 5, args: ['--netns', NETNS] });
  try {
    const { code, stdout } = await tune('--json');
    assert.equal(code, 0);
    const [page, ...more] = JSON.parse(stdout).namespaces;
    assert.equal(more.length, 0);
    assert.equal(page.close_wait, 7);
    const time = page.parameters.find(({ name }: { name: string }) => name === 'net.ipv4.tcp_keepalive_time');
    assert.deepEqual([time.value, time.reach], ['7200', { sockets: 2, of: 7 }]);
    assert.deepEqual(
      page.processes.map(({ pid }: { pid: number }) => pid),
      [without.truth.pid, with_.truth.pid],
    );
    const text = await tune();
    assert.match(text.stdout, /reaches at most 2 of 7/);
  } finally {
    await with_.stop();
    await without.stop();
  }
});

test('a dry run changes nothing; --yes changes this namespace only; --undo restores it', { skip }, async () => {
  const set = ['--apply', 'tcp_keepalive_time=601', '--apply', 'ip_local_port_range=2000-3001'];
  const hosts = own('tcp_keepalive_time');
  const dry = await tune(...set);
  assert.deepEqual([dry.code, read('tcp_keepalive_time')], [10, '7200']);
  assert.match(dry.stdout, /Nothing was changed/);

  const done = await tune(...set, '--yes');
  assert.deepEqual([done.code, read('tcp_keepalive_time'), read('ip_local_port_range')], [0, '601', '2000\t3001']);
  assert.match(done.stdout, /\n2 of 2 done\n$/);
  assert.equal(own('tcp_keepalive_time'), hosts);
  assert.equal((await tune(...set, '--yes')).code, 11);

  assert.equal((await tune('--undo')).code, 10);
  assert.equal(read('tcp_keepalive_time'), '601');
  assert.equal((await tune('--undo', '--yes')).code, 0);
  assert.deepEqual([read('tcp_keepalive_time'), read('ip_local_port_range')], ['7200', '32768\t60999']);
  assert.equal((await tune('--undo', '--yes')).code, 11);
});

test('what somebody else has changed since stays', { skip }, async () => {
  assert.equal((await tune('--apply', 'tcp_fin_timeout=30', '--apply', 'tcp_retries2=8', '--yes')).code, 0);
  write('tcp_fin_timeout', '31');
  const { code, stdout } = await tune('--undo', '--yes');
  assert.equal(code, 0);
  assert.match(stdout, /tcp_fin_timeout stays: it is 31 now/);
  assert.deepEqual([read('tcp_fin_timeout'), read('tcp_retries2')], ['31', '15']);
  write('tcp_fin_timeout', '60');
});

test('one value that is refused keeps all from being set', { skip }, async () => {
  const { code, stdout } = await tune('--apply', 'tcp_keepalive_time=600', '--apply', 'tcp_tw_reuse=9', '--yes');
  assert.equal(code, 12);
  assert.match(stdout, /^refused: net\.ipv4\.tcp_tw_reuse: 9 is not within 0 to 2/);
  assert.equal(read('tcp_keepalive_time'), '7200');
});

test('a change that is interrupted in its middle is taken back as far as it went', { skip }, async () => {
  assert.equal((await tune('--apply', 'tcp_keepalive_time=602', '--apply', 'tcp_keepalive_intvl=61', '--yes')).code, 0);
  // As if the second write had not been made, nor its end written down.
  write('tcp_keepalive_intvl', '75');
  const log = join(folder, 'state/actions.jsonl');
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  writeFileSync(log, `${lines.slice(0, -1).join('\n')}\n`);
  const { code, stdout } = await tune('--undo', '--yes');
  assert.equal(code, 0);
  assert.match(stdout, /tcp_keepalive_intvl is as it was before/);
  assert.equal(read('tcp_keepalive_time'), '7200');
});

test('a namespace of the same number that is another one is not touched', { skip }, async () => {
  assert.equal((await tune('--apply', 'tcp_keepalive_time=603', '--yes')).code, 0);
  const log = join(folder, 'state/actions.jsonl');
  writeFileSync(log, readFileSync(log, 'utf8').replaceAll(/"cookie":"[0-9]+"/g, '"cookie":"1"'));
  assert.equal((await tune('--undo', '--yes')).code, 11);
  assert.equal(read('tcp_keepalive_time'), '603');
  write('tcp_keepalive_time', '7200');
});

test('a file for sysctl.d is written when asked for, whole and new, and goes with --undo', { skip }, async () => {
  const path = join(folder, '90-unclosed.conf');
  const own_ = ['--state', join(folder, 'own'), '--apply', 'tcp_keepalive_time=604', '--sysctl-file', path, '--yes'];
  const run = (...args: string[]) => inNetns(process.execPath, 'src/bin.ts', 'tune', ...args);
  assert.match(run(...own_), /2 of 2 done/);
  assert.equal(readFileSync(path, 'utf8'), '# before: 7200\nnet.ipv4.tcp_keepalive_time = 604\n');
  assert.match(run('--state', join(folder, 'own'), '--undo', '--yes'), /2 of 2 done/);
  assert.equal(existsSync(path), false);
  writeFileSync(path, 'of somebody else');
  assert.throws(() => run(...own_), /Command failed/);
  assert.equal(readFileSync(path, 'utf8'), 'of somebody else');
  assert.equal((await tune('--apply', 'tcp_retries2=9', '--sysctl-file', path)).code, 2);
});

test('a read-only /proc/sys is told', { skip }, () => {
  const script = `mount -t proc proc /proc && mount -o bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys
    "$0" src/bin.ts tune --apply tcp_keepalive_time=605 --yes --state "$1" ; echo "code $?"`;
  const text = execFileSync(
    'unshare',
    ['-n', '-m', '-p', '-f', 'sh', '-c', script, process.execPath, join(folder, 'ro')],
    {
      encoding: 'utf8',
    },
  );
  assert.match(text, /not done: .*read-only/s);
  assert.match(text, /code 13/);
});

test('what was done of a change that failed in part is taken back', { skip }, () => {
  const tunes = `"$0" src/bin.ts tune --state "$1"`;
  const script = `mount -t proc proc /proc
    one=/proc/sys/net/ipv4/tcp_retries2; mount -o bind $one $one && mount -o remount,bind,ro $one
    ${tunes} --apply tcp_keepalive_time=607 --apply tcp_retries2=9 --yes; echo "code $?"
    cat /proc/sys/net/ipv4/tcp_keepalive_time
    ${tunes} --undo --yes; echo "code $?"
    cat /proc/sys/net/ipv4/tcp_keepalive_time
    ${tunes} --undo; echo "code $?"`;
  const text = execFileSync(
    'unshare',
    ['-n', '-m', '-p', '-f', 'sh', '-c', script, process.execPath, join(folder, 'part')],
    { encoding: 'utf8' },
  );
  assert.match(
    text,
    /not done: net\.ipv4\.tcp_retries2: .*1 of 2 done: unclosed tune --undo takes that back\ncode 13\n607\n/s,
  );
  assert.match(
    text,
    /tcp_retries2 is as it was before\n.*1 of 1 done\ncode 0\n7200\nnothing to take back .*code 11\n$/s,
  );
});

// The checkout may lie where nobody can read it, so the modules are loaded first and the rights dropped then.
const AS_NOBODY = `
const { main } = await import(${JSON.stringify(new URL('../../src/faces/cli.ts', import.meta.url).href)});
for (const name of ['faces/tune', 'kernel/fast', 'kernel/change-parameter', 'kernel/bpf/held-source'])
  await import(${JSON.stringify(new URL('../../src/', import.meta.url).href)} + name + '.ts');
const { mkdtempSync } = await import('node:fs');
process.setgroups([]);
process.setgid(65534);
process.setuid(65534);
const state = mkdtempSync('/tmp/unclosed-nobody-');
const code = await main(['tune', '--apply', 'tcp_keepalive_time=606', '--yes', '--state', state], process, process.env);
(await import('node:fs')).rmSync(state, { recursive: true });
console.log('code', code);
`;

test('a user who is not root is told so, and changes nothing', { skip }, () => {
  const text = inNetns(process.execPath, '--input-type=module-typescript', '-e', AS_NOBODY);
  assert.match(text, /not done: .*run as root/s);
  assert.match(text, /code 13/);
  assert.equal(read('tcp_keepalive_time'), '7200');
});
