import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { missing, startWorkload, type Truth, type WorkloadOptions } from './workload.ts';

// Every workload does what it promises, seen through /proc alone and without a line of our own parsers.

const skip = missing('python3');

type Row = { local: number; peer: number; state: string; recvQueue: number; timer: string; inode: number };
type Expectation = { stuck: number; holders?: number; listed?: boolean; check?: (truth: Truth) => void };

const NOBODY = 0;

const CASES: [name: string, expected: Expectation, options?: WorkloadOptions][] = [
  ['missing-close', { stuck: 23, holders: 1 }],
  ['missing-close', { stuck: 23, holders: 1, check: isAged }, { args: ['--seconds-before', '1.5'] }],
  ['unread', { stuck: 23, holders: 1 }],
  ['forgotten', { stuck: 23, holders: 1 }],
  ['outbound', { stuck: 23, holders: 1 }],
  ['never-accepted', { stuck: 23, check: isBelowItsLimit }],
  ['never-accepted', { stuck: 23, check: isOverItsLimit }, { args: ['--full'] }],
  ['inherited', { stuck: 23, holders: 3, check: parentHolds }],
  ['inherited', { stuck: 23, holders: 2, check: parentDoesNotHold }, { args: ['--parent-closes'] }],
  ['passed', { stuck: 23, holders: 1, check: giverDoesNotHold }],
  ['closed-but-held', { stuck: 0, holders: 1, listed: false }],
  ['stopped', { stuck: 23, holders: 1, check: isStopped }],
  ['late-ack', { stuck: 23, holders: 1, check: isAcknowledgedLate }],
  ['exact', { stuck: 23, holders: 1 }],
  ['keepalive', { stuck: 23, holders: 1, check: hasKeepaliveTimer }],
  ['healthy', { stuck: 0, holders: 1, check: areFiftyEstablished }],
  ['nasty-name', { stuck: 23, holders: 1, check: hasNastyName }],
  ['reuseport', { stuck: 23, check: isBelowItsLimit }],
];

for (const [name, expected, options] of CASES) {
  const title = [name, ...(options?.args ?? [])].join(' ');
  test(`${title} shows ${expected.stuck} sockets in CLOSE_WAIT`, { skip }, async () => {
    const workload = await startWorkload(name, options);
    try {
      assertPromised(workload.truth, expected);
    } finally {
      await workload.stop();
    }
    assertGone(workload.truth);
  });
}

for (const family of ['6', 'mapped'] as const) {
  for (const [name, expected] of CASES.filter(([, , options]) => options === undefined)) {
    if (name === 'healthy') continue;
    test(`${name} over ${family} is in tcp6`, { skip }, async () => {
      const workload = await startWorkload(name, { family, count: 7 });
      try {
        assertPromised(workload.truth, { ...expected, stuck: Math.min(expected.stuck, 7) });
        assert.equal(rowsOf(workload.truth, ['tcp6']).length > 0, expected.listed !== false);
      } finally {
        await workload.stop();
      }
    });
  }
}

test('churn has always few, never more than it says, and not the same', { skip }, async () => {
  const { truth, stop } = await startWorkload('churn');
  try {
    const seen = new Set<number>();
    const end = Date.now() + 1_200;
    while (Date.now() < end) {
      const stuck = rowsOf(truth).filter(isCloseWait);
      assert.ok(stuck.length <= (truth.at_most ?? 0), `${stuck.length} at once`);
      for (const row of stuck) seen.add(row.peer);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.ok(seen.size > 20, `only ${seen.size} different connections`);
  } finally {
    await stop();
  }
});

test('a workload that cannot start says why', { skip }, async () => {
  await assert.rejects(startWorkload('no-such-case'), /nothing like .*READY[\s\S]*invalid choice/);
});

test('in CI nothing is skipped', () => {
  const before = process.env.CI;
  process.env.CI = 'true';
  assert.equal(missing('no-such-program'), false);
  delete process.env.CI;
  assert.equal(missing('no-such-program', 'node'), 'needs no-such-program');
  if (before !== undefined) process.env.CI = before;
});

function assertPromised(truth: Truth, expected: Expectation): void {
  const stuck = rowsOf(truth).filter(isCloseWait);
  assert.equal(stuck.length, expected.stuck);
  if (truth.recv_queue !== null)
    assert.deepEqual(new Set(stuck.map((row) => row.recvQueue)), setOf(stuck, truth.recv_queue));
  const holders = expected.holders ?? NOBODY;
  if (holders === NOBODY) assert.deepEqual(new Set(stuck.map((row) => row.inode)), new Set([0]));
  else if (expected.stuck > 0) assert.deepEqual(sorted(stuck.map((row) => row.inode)), sorted(truth.inodes));
  if (expected.listed === false)
    assert.deepEqual(
      allRows(truth.pid).filter((row) => truth.inodes.includes(row.inode)),
      [],
    );
  if (holders !== NOBODY) {
    assert.equal(truth.pids.length, holders);
    assert.equal(truth.fds.length, truth.count);
    for (const pid of truth.pids) assert.deepEqual(heldBy(pid, truth), truth.inodes);
  }
  if (expected.stuck > 0) assert.equal(truth.entered_at.length, truth.count);
  for (const at of truth.entered_at) assert.ok(Math.abs(Date.now() / 1000 - at) < 30);
  expected.check?.(truth);
}

function assertGone(truth: Truth): void {
  for (const pid of truth.pids) assert.ok(!existsSync(`/proc/${pid}`), `process ${pid} is still there`);
}

function isAged(truth: Truth): void {
  assert.ok(Date.now() / 1000 - Math.max(...truth.entered_at) >= 1.5);
}

function isBelowItsLimit(truth: Truth): void {
  assert.equal(queueOf(truth), truth.count);
  assert.ok((truth.limit ?? 0) >= truth.count);
}

function isOverItsLimit(truth: Truth): void {
  assert.equal(queueOf(truth), truth.count);
  assert.equal(truth.limit, truth.count - 1);
  const waiting = allRows(truth.pid).filter((row) => row.peer === truth.port && row.state === '02');
  assert.equal(waiting.length, 1, 'one client in SYN_SENT');
}

function parentHolds(truth: Truth): void {
  assert.equal(truth.parent_pid, truth.pids[0]);
}

function parentDoesNotHold(truth: Truth): void {
  assert.deepEqual(
    socketInodes(truth.parent_pid ?? 0).filter((inode) => truth.inodes.includes(inode)),
    [],
  );
}

function giverDoesNotHold(truth: Truth): void {
  assert.deepEqual(
    socketInodes(truth.giver_pid ?? 0).filter((inode) => truth.inodes.includes(inode)),
    [],
  );
}

function isStopped(truth: Truth): void {
  assert.match(readFileSync(`/proc/${truth.pid}/status`, 'utf8'), /^State:\tT/m);
}

function isAcknowledgedLate(truth: Truth): void {
  assert.ok((truth.acknowledged_at ?? 0) - Math.max(...truth.entered_at) >= 1);
}

function hasKeepaliveTimer(truth: Truth): void {
  const timers = rowsOf(truth)
    .filter(isCloseWait)
    .map((row) => row.timer);
  assert.deepEqual(new Set(timers), new Set(['02']));
}

function areFiftyEstablished(truth: Truth): void {
  const inodes = rowsOf(truth)
    .filter((row) => row.state === '01')
    .map((row) => row.inode);
  assert.equal(truth.count, 50);
  assert.deepEqual(sorted(inodes), sorted(truth.inodes));
}

function hasNastyName(truth: Truth): void {
  assert.equal(readFileSync(`/proc/${truth.pid}/comm`, 'utf8'), `${truth.name}\n`);
  assert.match(truth.name ?? '', /\n.*\x1b\]0;.*\x1b\[31m/s);
  const args = readFileSync(`/proc/${truth.pid}/cmdline`, 'utf8').split('\0');
  assert.ok(args.includes(truth.argument ?? ''));
}

// The accept queue's length stands in a listener's rx_queue.
function queueOf(truth: Truth): number | undefined {
  return allRows(truth.pid).find((row) => row.inode === truth.listener_inode)?.recvQueue;
}

const isCloseWait = (row: Row) => row.state === '08';
const sorted = (numbers: number[]) => numbers.toSorted((a, b) => a - b);
const setOf = (rows: Row[], value: number) => new Set(rows.map(() => value));

function rowsOf(truth: Truth, tables?: string[]): Row[] {
  return allRows(truth.pid, tables).filter((row) => row[truth.side] === truth.port && row.state !== '0A');
}

function allRows(pid: number, tables = ['tcp', 'tcp6']): Row[] {
  return tables.flatMap((table) => {
    const lines = readFileSync(`/proc/${pid}/net/${table}`, 'utf8').trimEnd().split('\n').slice(1);
    return lines.map((line) => {
      const [, local = '', peer = '', state = '', queues = '', timer = '', , , , inode = ''] = line.trim().split(/\s+/);
      return {
        local: port(local),
        peer: port(peer),
        state,
        recvQueue: Number.parseInt(queues.split(':')[1] ?? '', 16),
        timer: timer.slice(0, 2),
        inode: Number(inode),
      };
    });
  });
}

const port = (endpoint: string) => Number.parseInt(endpoint.split(':')[1] ?? '', 16);

const heldBy = (pid: number, truth: Truth) => truth.fds.map((fd) => socketInode(pid, fd));
const socketInodes = (pid: number) => readdirSync(`/proc/${pid}/fd`).map((fd) => socketInode(pid, Number(fd)));
const socketInode = (pid: number, fd: number) =>
  Number(/^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1]);
