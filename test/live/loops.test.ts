import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { type JsonFinding, reportEverything } from './cli.ts';
import { missing, startProgram, startWorkload, type Truth } from './workload.ts';

const skip = missing('root', 'python3');

type Told = JsonFinding & { evidence: { fact: string }[] };

async function findingOf({ pid, port }: Truth): Promise<Told> {
  const { findings } = await reportEverything('--port', String(port));
  const found = findings.find(({ holder }) => holder?.pid === pid);
  assert.ok(found, `no finding for pid ${pid}`);
  return found as Told;
}

const saysOf = ({ evidence }: Told): string => evidence.map(({ fact }) => fact).join('\n');

for (const [mode, cause, confidence, fact] of [
  ['blocked', 'stalled', 'likely', /5 sockets are watched for reading by an event loop that does not wait/],
  ['spinning', 'stalled', 'likely', /1 thread uses a whole processor/],
  ['write-only', 'not-reading', 'likely', /5 sockets in an epoll set without EPOLLIN/],
  ['dropped', 'forgotten', 'likely', /5 sockets in no epoll set, and no thread waits for one of them/],
] as const) {
  test(`an event loop that is ${mode}: ${cause}, by what its epoll set watches`, { skip }, async () => {
    const { truth, stop } = await startProgram(['loops.py', mode, '--count', '5']);
    try {
      const found = await findingOf(truth);
      assert.deepEqual([found.cause, found.confidence, found.sockets], [cause, confidence, 5], saysOf(found));
      assert.match(saysOf(found), fact);
    } finally {
      await stop();
    }
  });
}

const FREEZER = '/sys/fs/cgroup/freezer';
const noFreezer = existsSync(`${FREEZER}/cgroup.procs`) ? false : 'needs the freezer of cgroup version 1';

test('a process in a frozen cgroup is stalled', { skip: skip || noFreezer }, async () => {
  const { truth, stop } = await startWorkload('unread', { count: 5 });
  const group = `${FREEZER}/unclosed-test-${process.pid}`;
  mkdirSync(group);
  try {
    writeFileSync(`${group}/cgroup.procs`, String(truth.pid));
    writeFileSync(`${group}/freezer.state`, 'FROZEN');
    const found = await findingOf(truth);
    assert.deepEqual([found.cause, found.confidence], ['stalled', 'proven'], saysOf(found));
    assert.match(saysOf(found), /frozen by its cgroup/);
  } finally {
    writeFileSync(`${group}/freezer.state`, 'THAWED');
    writeFileSync(`${FREEZER}/cgroup.procs`, String(truth.pid));
    await stop();
    rmdirSync(group);
  }
});

test('connections that only forked children hold are inherited', { skip }, async () => {
  const { truth, stop } = await startWorkload('inherited', { count: 5, args: ['--parent-closes'] });
  try {
    const found = await findingOf(truth);
    assert.deepEqual([found.cause, found.sockets], ['inherited-fd', 5], saysOf(found));
    assert.match(saysOf(found), /the parent python3 \(pid \d+\) holds none of them/);
  } finally {
    await stop();
  }
});
