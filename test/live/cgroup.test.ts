import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { LiveMachine } from '../../src/kernel/live.ts';
import { reportEverything, socketsAt } from './cli.ts';
import { cgroup2 } from './own-machine.ts';
import { missing, startWorkload, type Truth, type Workload } from './workload.ts';

const skip = missing('root', 'python3');

const ID = 'c0ffee'.padEnd(64, '0');

/** Runs a workload in a cgroup as a container engine under systemd would make it. */
async function inContainer(action: (truth: Truth) => Promise<void>): Promise<void> {
  const slice = join(cgroup2(), 'unclosed-test.slice');
  const scope = join(slice, `docker-${ID}.scope`);
  mkdirSync(scope, { recursive: true });
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
  let workload: Workload | undefined;
  try {
    // Children are born where their parent is, and a socket belongs to the cgroup in which it was made.
    writeFileSync(join(scope, 'cgroup.procs'), String(process.pid));
    workload = await startWorkload('missing-close');
    writeFileSync(join(cgroup2(), own, 'cgroup.procs'), String(process.pid));
    await action(workload.truth);
  } finally {
    writeFileSync(join(cgroup2(), own, 'cgroup.procs'), String(process.pid));
    await workload?.stop();
    rmdirSync(scope);
    rmdirSync(slice);
  }
}

test('a container is known by the cgroup of its process, and the sockets say where to look first', { skip }, () =>
  inContainer(async (truth) => {
    const report = await reportEverything('--container', ID.slice(0, 12), '--source', 'netlink');
    const sockets = socketsAt(report, truth) as unknown as { cgroup: string; holders: { pid: number }[] }[];
    assert.equal(sockets.length, truth.count);
    const holder = report.findings[0]?.holder as unknown as { container: { engine: string; id: string } };
    assert.deepEqual(holder.container, { engine: 'docker', id: ID });

    const machine = new LiveMachine(await import('../../src/kernel/fast.ts'));
    assert.ok(machine.cgroupPids(BigInt(sockets[0]?.cgroup ?? 0)).includes(truth.pid));
  }),
);
