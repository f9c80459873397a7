import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { type JsonFinding, type JsonReport, reportEverything, socketsAt, unclosed } from './cli.ts';
import { missing, startWorkload, type Truth, type WorkloadOptions } from './workload.ts';

// What the report says of programs whose state is known: every case of workloads/, found on the live machine.

const skip = missing('root', 'python3');

type Expectation = { cause: string; holders?: 'pids' | 'nobody'; check?: (finding: JsonFinding, truth: Truth) => void };

// A program with one thread that is blocked elsewhere: what it has not read at all it cannot come to (stalled).
const CASES: [name: string, expected: Expectation, options?: WorkloadOptions][] = [
  ['missing-close', { cause: 'missing-close' }],
  ['missing-close', { cause: 'missing-close' }, { family: '6' }],
  ['missing-close', { cause: 'missing-close' }, { family: 'mapped' }],
  ['unread', { cause: 'stalled' }],
  ['forgotten', { cause: 'forgotten' }],
  ['outbound', { cause: 'stale-pool', check: outboundToAProcessHere }],
  ['inherited', { cause: 'missing-close', check: namesTheOtherHolders }],
  ['passed', { cause: 'stalled' }],
  ['stopped', { cause: 'stalled', check: (finding) => assert.equal(finding.holder?.state, 'stopped') }],
  ['keepalive', { cause: 'missing-close' }],
  ['nasty-name', { cause: 'missing-close' }],
];

for (const [name, { cause, check }, options] of CASES) {
  const title = [name, options?.family].filter(Boolean).join(' over IPv6 ');
  test(`${title}: all sockets are found with all their holders`, { skip }, async () => {
    const { truth, stop } = await startWorkload(name, options);
    try {
      const report = await reportEverything();
      const sockets = socketsAt(report, truth);
      assert.equal(sockets.length, truth.count);
      assert.deepEqual(sockets.map(({ inode }) => inode).sort(), [...truth.inodes].sort());
      const fdOf = new Map(truth.inodes.map((inode, i) => [inode, truth.fds[i]]));
      for (const { inode, holders, recv_q } of sockets) {
        if (truth.recv_queue !== null) assert.equal(recv_q, truth.recv_queue);
        assert.deepEqual(holders.map(({ pid }) => pid).sort(), [...truth.pids].sort());
        for (const { fd } of holders) assert.equal(fd, fdOf.get(inode ?? 0));
      }
      const finding = findingOf(report, truth.pid);
      assert.equal(finding.cause, cause);
      assert.equal(finding.sockets, truth.count);
      assert.equal(finding.direction, truth.side === 'local' ? 'inbound' : 'outbound');
      assert.equal(finding.holder?.runtime, 'python');
      check?.(finding, truth);
    } finally {
      await stop();
    }
  });
}

function findingOf(report: JsonReport, pid: number): JsonFinding {
  const finding = report.findings.find(({ holder }) => holder?.pid === pid);
  assert.ok(finding, `no finding for pid ${pid}`);
  return finding;
}

function outboundToAProcessHere(finding: JsonFinding, truth: Truth): void {
  const [peer] = finding.peers;
  assert.equal(peer?.port, truth.port);
  assert.equal(peer?.process?.name, 'python3');
}

function namesTheOtherHolders(finding: JsonFinding, truth: Truth): void {
  const others = truth.pids.filter((pid) => pid !== truth.pid);
  assert.deepEqual(finding.co_holders.map(({ pid }) => pid).sort(), others.sort());
  assert.ok(finding.co_holders.every(({ sockets }) => sockets === truth.count));
}

for (const args of [[], ['--full']]) {
  test(`never-accepted ${args}: sockets without inode belong to their listener and its process`, { skip }, async () => {
    const { truth, stop } = await startWorkload('never-accepted', { args });
    try {
      const report = await reportEverything();
      const finding = report.findings.find(({ listener }) => listener?.port === truth.port);
      assert.equal(finding?.cause, 'accept-backlog');
      assert.equal(finding?.confidence, 'proven');
      assert.equal(finding?.holder, null);
      assert.equal(finding?.sockets, truth.count);
      assert.equal(finding?.listener?.pid, truth.pid);
      assert.equal(finding?.listener?.queue, truth.queue);
      assert.equal(finding?.listener?.limit, truth.limit);
      assert.equal(finding?.severity, args.length > 0 ? 'critical' : 'ok');
      assert.ok(socketsAt(report, truth).every(({ inode, holders }) => inode === null && holders.length === 0));
    } finally {
      await stop();
    }
  });
}

test('descriptors of closed sockets are found when counters say that there are some', { skip }, async () => {
  const { truth, stop } = await startWorkload('closed-but-held');
  try {
    const report = await reportEverything();
    const finding = report.findings.find(
      ({ holder, cause }) => holder?.pid === truth.pid && cause === 'closed-but-held',
    );
    assert.equal(finding?.sockets, truth.count);
    assert.ok((report.totals.closed_but_held ?? 0) >= truth.count);

    const without = await reportEverything('--held', 'never');
    assert.ok(without.findings.every(({ cause }) => cause !== 'closed-but-held'));
    assert.equal(without.totals.closed_but_held, null);
  } finally {
    await stop();
  }
});

test('a server that closes a moment later is churn, and the exit code says that nothing is stuck', {
  skip,
}, async () => {
  const { truth, stop } = await startWorkload('churn');
  try {
    const { code, stdout } = await unclosed('--json', '--sockets', '-p', String(truth.pid));
    const report: JsonReport = JSON.parse(stdout);
    assert.ok(report.findings.every(({ cause, severity }) => cause === 'churn' && severity === 'ok'));
    assert.equal(code, 0);
  } finally {
    await stop();
  }
});

test('a healthy server is not in the report', { skip }, async () => {
  const { truth, stop } = await startWorkload('healthy');
  try {
    const report = await reportEverything();
    assert.ok(report.findings.every(({ holder }) => holder?.pid !== truth.pid));
  } finally {
    await stop();
  }
});

test('a stuck socket is found: exit code 1, and without one 0', { skip }, async () => {
  const { truth, stop } = await startWorkload('missing-close');
  try {
    assert.equal((await unclosed(String(truth.pid), '--stuck-after', '0s')).code, 1);
    assert.equal((await unclosed(String(truth.pid), '--stuck-after', '1h')).code, 0);
    assert.equal((await unclosed(String(process.pid), '--stuck-after', '0s')).code, 0);
  } finally {
    await stop();
  }
});

test('no name reaches a terminal as a control character', { skip }, async () => {
  const { truth, stop } = await startWorkload('nasty-name');
  try {
    for (const args of [[], ['--sockets'], ['--json', '--sockets']]) {
      const { stdout } = await unclosed('-p', String(truth.pid), '--stuck-after', '0s', ...args);
      assert.match(stdout, /1b/i);
      assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    }
  } finally {
    await stop();
  }
});

test('the connections of a process are counted in all states', { skip }, async () => {
  const healthy = await startWorkload('healthy', { count: 5 });
  const leaking = await startWorkload('keepalive', { count: 7 });
  try {
    const report = await reportEverything();
    const finding = findingOf(report, leaking.truth.pid);
    assert.equal(finding.connections, 7);
    assert.ok((report.totals.by_state.ESTABLISHED ?? 0) >= 5);
    assert.equal(finding.peers[0]?.process?.name, 'python3');
    assert.ok(finding.fds && finding.fds.open >= 7 && finding.fds.limit > 0);
  } finally {
    await healthy.stop();
    await leaking.stop();
  }
});

test('the demo shows its server and leaves nothing behind', { skip }, async () => {
  const { code, stdout } = await unclosed('demo');
  assert.equal(code, 0);
  const pid = /pid ([0-9]+)/.exec(stdout)?.[1];
  assert.match(stdout, /42 of 42 connections wait to be closed/);
  assert.equal(existsSync(`/proc/${pid}`), false);
});
