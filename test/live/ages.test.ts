import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JsonSocket, reportEverything, socketsAt } from './cli.ts';
import { missing, startWorkload, type Truth } from './workload.ts';

const skip = missing('root', 'python3');

/** Ticks of the kernel's clock, a delayed FIN on a busy machine, and the time between truth and report. */
const TOLERANCE_S = 0.3;

async function agesOf(
  name: string,
  args: string[],
): Promise<{ truth: Truth; sockets: JsonSocket[]; takenAt: number[] }> {
  const { truth, stop } = await startWorkload(name, { args });
  try {
    const before = Date.now() / 1000;
    const report = await reportEverything('-p', String(truth.pid));
    return { truth, sockets: socketsAt(report, truth), takenAt: [before, Date.now() / 1000] };
  } finally {
    await stop();
  }
}

/** The true age of a socket lies between what it was just before and just after the report. */
function trueAges(truth: Truth, inode: number | null, [before = 0, after = 0]: number[]): [number, number] {
  const entered = truth.entered_at[truth.inodes.indexOf(inode ?? 0)];
  assert.ok(entered !== undefined);
  return [before - entered, after - entered];
}

test('data and FIN at once: the age is exact and true', { skip }, async () => {
  const { truth, sockets, takenAt } = await agesOf('exact', ['--seconds-before', '2']);
  assert.equal(sockets.length, truth.count);
  for (const { inode, age } of sockets) {
    const [youngest, oldest] = trueAges(truth, inode, takenAt);
    assert.ok(age.at_least !== null && age.at_most !== null && age.at_most - age.at_least <= 0.1);
    assert.ok(age.at_least >= youngest - TOLERANCE_S && age.at_most <= oldest + TOLERANCE_S);
  }
});

test('the peer acknowledged something after its FIN: the true age lies between the bounds, not at the lower one', {
  skip,
}, async () => {
  const { truth, sockets, takenAt } = await agesOf('late-ack', ['--seconds-before', '2']);
  assert.equal(sockets.length, truth.count);
  for (const { inode, age } of sockets) {
    const [youngest, oldest] = trueAges(truth, inode, takenAt);
    assert.ok(age.at_least !== null && age.at_most !== null);
    assert.ok(age.at_least <= oldest + TOLERANCE_S && age.at_most >= youngest - TOLERANCE_S);
    assert.ok(
      age.at_most - age.at_least > 1.5,
      `the bounds ${age.at_least} and ${age.at_most} do not tell of the late ACK`,
    );
  }
});

test('keepalive answers hide the age: the bounds say so, and the socket is only maybe stuck', { skip }, async () => {
  const { truth, stop } = await startWorkload('keepalive', { args: ['--seconds-before', '3'] });
  try {
    const report = await reportEverything('-p', String(truth.pid), '--stuck-after', '2s');
    const sockets = socketsAt(report, truth);
    assert.equal(sockets.length, truth.count);
    assert.ok(sockets.every(({ keepalive }) => keepalive === true));
    assert.ok(sockets.every(({ age }) => (age.at_least ?? 9) < 2 && (age.at_most ?? 0) >= 2));
    assert.equal(report.findings[0]?.maybe_stuck, truth.count);
    assert.equal(report.findings[0]?.stuck, 0);
  } finally {
    await stop();
  }
});
