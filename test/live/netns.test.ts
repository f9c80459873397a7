import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { reportEverything, socketsAt, unclosed } from './cli.ts';
import { missing, startWorkload } from './workload.ts';

const skip = missing('root', 'python3', 'ip');

/** Runs `action` with a network namespace of our own, which ends with it. */
async function withNetns(action: (name: string) => Promise<void>): Promise<void> {
  const name = `unclosed-test-${process.pid}`;
  execFileSync('ip', ['netns', 'add', name]);
  try {
    execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    await action(name);
  } finally {
    execFileSync('ip', ['netns', 'del', name]);
  }
}

test('sockets of another network namespace are found with their holder, by name of the namespace too', { skip }, () =>
  withNetns(async (name) => {
    const { truth, stop } = await startWorkload('missing-close', { args: ['--netns', name] });
    try {
      const all = socketsAt(await reportEverything(), truth);
      assert.equal(all.length, truth.count);
      assert.ok(all.every(({ holders }) => holders.length === 1 && holders[0]?.pid === truth.pid));
      const there = await reportEverything('--netns', name);
      assert.equal(there.totals.close_wait, truth.count);
      assert.equal(new Set(there.sockets.map(({ netns }) => netns)).size, 1);
    } finally {
      await stop();
    }
  }),
);

test('a namespace that is only a bind mount is read too, and one that is not there is an error', { skip }, () =>
  withNetns(async (name) => {
    const { code } = await unclosed('--netns', name);
    assert.equal(code, 0);
    const missed = await unclosed('--netns', `${name}-not`);
    assert.equal(missed.code, 2);
    assert.match(missed.stderr, /no network namespace/);
  }),
);
