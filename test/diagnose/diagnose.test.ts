import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { socketRows } from '../../src/diagnose/socket-rows.ts';
import type { Finding } from '../../src/model/finding.ts';
import {
  aged,
  endpoint,
  holding,
  listener,
  process,
  snapshot,
  socket,
  sockets,
  times,
  unaccepted,
} from '../helpers/model.ts';

const MINUTE = 60_000;

/** A process with `count` sockets of this age. */
function holder(pid: number, count: number, ageMs: number) {
  const all = sockets(count, aged(ageMs), pid * 1000);
  return { sockets: all, process: process({ pid, sockets: holding(...all) }) };
}

const diagnoseAll = (...holders: ReturnType<typeof holder>[]) =>
  diagnose(snapshot({ sockets: holders.flatMap((it) => it.sockets), processes: holders.map((it) => it.process) }));

function onlyFinding(fields: Parameters<typeof snapshot>[0]): Finding {
  const [finding, ...more] = diagnose(snapshot(fields)).findings;
  assert.ok(finding && more.length === 0);
  return finding;
}

test('nothing in CLOSE_WAIT is ok, without findings', () => {
  const { status, findings, totals } = diagnose(snapshot());
  assert.deepEqual(
    { status, findings, totals },
    { status: 'ok', findings: [], totals: { closeWait: 0, stuck: 0, maybeStuck: 0 } },
  );
});

test('the worst findings come first, of equal ones those with more sockets, then by pid', () => {
  const { findings, status } = diagnoseAll(
    holder(5, 1, 1000),
    holder(4, 2, 2 * MINUTE),
    holder(3, 2, 2 * MINUTE),
    holder(2, 20, 10 * MINUTE),
    holder(1, 10, 60 * MINUTE),
  );
  assert.deepEqual(
    findings.map((it) => [it.severity, it.subject.process?.pid]),
    [
      ['critical', 1],
      ['warning', 2],
      ['ok', 3],
      ['ok', 4],
      ['ok', 5],
    ],
  );
  assert.equal(status, 'critical');
});

test('totals count every finding', () => {
  const unknown = socket({ timer: 'keepalive', lastAckReceivedMs: 1, inode: 9 });
  const { sockets: stuck, process: one } = holder(1, 3, 5 * MINUTE);
  const { totals } = diagnose(
    snapshot({ sockets: [...stuck, unknown, socket({ inode: 8, ...aged(1) })], processes: [one] }),
  );
  assert.deepEqual(totals, { closeWait: 5, stuck: 3, maybeStuck: 1 });
});

test('the number of closed sockets is told when it is known, and absent when it is only bounded', () => {
  const closed = [{ pid: 1, fd: 3, inode: 4 }];
  const totalOf = (fields: Parameters<typeof snapshot>[0]) => diagnose(snapshot(fields)).totals.closedButHeld;
  assert.equal(totalOf({ closedButHeld: [], closedButHeldAtMost: 0 }), 0);
  assert.equal(totalOf({ closedButHeld: closed, closedButHeldAtMost: 1 }), 1);
  assert.equal(totalOf({ closedButHeld: closed, closedButHeldAtMost: 9 }), 1);
  assert.equal(totalOf({ closedButHeld: [], closedButHeldAtMost: 9 }), undefined);
  assert.equal(totalOf({}), undefined);
});

test('the ages of a finding are the oldest, the middle and the youngest', () => {
  const all = [5, 3, 1].map((minutes, i) => socket({ inode: i + 1, ...aged(minutes * MINUTE) }));
  assert.deepEqual(onlyFinding({ sockets: all }).age, {
    oldestMs: 5 * MINUTE,
    oldestAtMostMs: 5 * MINUTE,
    medianMs: 3 * MINUTE,
    youngestMs: MINUTE,
    exact: true,
  });
});

test('one age that is only a range makes the ages of a finding inexact', () => {
  const range = socket({ inode: 2, lastAckReceivedMs: 100_000, lastDataReceivedMs: 200_000 });
  assert.equal(onlyFinding({ sockets: [socket(), range] }).age?.exact, false);
});

test('without any known age a finding has none', () => {
  const { lastAckReceivedMs: _a, lastDataReceivedMs: _d, ...unknown } = socket();
  const finding = onlyFinding({ sockets: [unknown] });
  assert.equal('age' in finding, false);
  assert.equal(finding.subject.maybeStuck, 1);
});

test('a leak that goes on is told with the time until the descriptors are used up', () => {
  const all = times(61, (i) => socket({ inode: i + 1, ...aged(MINUTE + i * MINUTE) }));
  const finding = onlyFinding({
    sockets: all,
    processes: [process({ openFds: 964, fdLimit: 1024, sockets: holding(...all) })],
  });
  assert.equal(Math.round(finding.arrivals?.perHour ?? 0), 61);
  assert.equal(Math.round(finding.fds?.fullInMs ?? 0), Math.round((60 / 61) * 3600_000));
  assert.equal(finding.severity, 'critical');
});

test('an unlimited number of descriptors is never full', () => {
  const all = times(61, (i) => socket({ inode: i + 1, ...aged(MINUTE + i * MINUTE) }));
  const holders = [process({ fdLimit: Number.POSITIVE_INFINITY, sockets: holding(...all) })];
  assert.deepEqual(onlyFinding({ sockets: all, processes: holders }).fds, { open: 20 });
});

test('a backlog uses no descriptors', () => {
  const waiting = onlyFinding({
    sockets: [unaccepted()],
    listeners: [listener()],
    processes: [process({ sockets: holding(listener()) })],
  });
  assert.deepEqual([waiting.cause, 'fds' in waiting], ['accept-backlog', false]);
});

test('what no rule explains stays unknown and undecided, with what was read as evidence', () => {
  const { cause, confidence, evidence, next } = diagnoseAll(holder(1, 2, 5 * MINUTE)).findings[0] ?? assert.fail();
  assert.deepEqual([cause, confidence, evidence.length], ['unknown', 'undecided', 1]);
  assert.ok(next.some(({ command }) => command === 'unclosed 1 --sockets'));
});

test('a stopped holder is stalled, and the command that lets it run on is named', () => {
  for (const [recvQueue, cause] of [
    [263, 'stalled'],
    // It ran after the ends had come, so that it is stopped now does not explain them.
    [0, 'unknown'],
  ] as const) {
    const all = sockets(2, { recvQueue });
    const finding = onlyFinding({ sockets: all, processes: [process({ state: 'stopped', sockets: holding(...all) })] });
    assert.deepEqual([finding.cause, finding.next[0]?.command], [cause, 'kill -CONT 812']);
  }
});

test('no step that is named ends a process', () => {
  for (const state of ['stopped', 'traced', 'sleeping'] as const) {
    const all = sockets(2);
    for (const runtime of ['java', 'python', 'go'] as const) {
      const finding = onlyFinding({ sockets: all, processes: [process({ state, runtime, sockets: holding(...all) })] });
      for (const { command } of finding.next) assert.doesNotMatch(command ?? '', /kill (?!-CONT)|pkill|killall/);
    }
  }
});

test('the diagnosis of a snapshot is the same each time, and changes nothing of it', () => {
  const { sockets: all, process: one } = holder(1, 30, 5 * MINUTE);
  const it = snapshot({ sockets: all.toReversed(), processes: [one], listeners: [listener()] });
  const before = structuredClone(it);
  assert.deepEqual(diagnose(it), diagnose(it));
  assert.deepEqual(it, before);
});

test('the list of sockets has each with its age, its cause and all its holders', () => {
  const shared = socket({ peer: endpoint('10.0.0.5:1') });
  const diagnosis = diagnose(
    snapshot({
      sockets: [shared],
      processes: [
        process({ pid: 1, startedAt: 1, name: 'parent', sockets: new Map([[1000, [4, 5]]]) }),
        process({ pid: 2, startedAt: 2, name: 'child', sockets: new Map([[1000, [4]]]) }),
      ],
    }),
  );
  assert.deepEqual(socketRows(diagnosis), [
    {
      socket: shared,
      age: { atLeastMs: 600_000, atMostMs: 600_000 },
      cause: 'unknown',
      holders: [
        { pid: 1, name: 'parent', fds: [4, 5] },
        { pid: 2, name: 'child', fds: [4] },
      ],
    },
  ]);
});

test('sockets that nobody has accepted have no holder in the list', () => {
  const it = snapshot({
    sockets: [unaccepted()],
    listeners: [listener()],
    processes: [process({ sockets: holding(listener()) })],
  });
  assert.deepEqual(socketRows(diagnose(it))[0]?.holders, []);
});

test('young sockets that have filled the descriptor table are no churn', () => {
  const all = sockets(55, aged(5000));
  const finding = onlyFinding({
    sockets: all,
    processes: [process({ sockets: holding(...all), openFds: 60, fdLimit: 60 })],
  });
  assert.deepEqual([finding.cause, finding.severity, finding.confidence], ['unknown', 'critical', 'undecided']);
  assert.ok(finding.crossed.includes('no descriptor is free'));
});

test('sockets in CLOSE_WAIT and closed ones of a process fill the same table', () => {
  const all = sockets(90, aged(120_000));
  const holder = process({ sockets: holding(...all), openFds: 185, fdLimit: 256 });
  const closedButHeld = Array.from({ length: 90 }, (_, i) => ({ pid: holder.pid, fd: 100 + i, inode: 9000 + i }));
  const { findings, status } = diagnose({ ...snapshot({ sockets: all, processes: [holder] }), closedButHeld });
  assert.equal(findings.length, 2);
  assert.equal(status, 'critical');
});
