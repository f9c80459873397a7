import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { build } from '../../eval/build.ts';
import { judge } from '../../eval/judge.ts';
import { readWorkloads } from '../../eval/workload.ts';
import { unclosed } from './cli.ts';
import { missing, startProgram } from './workload.ts';

// A quick part of `npm run eval`: the programs still do what their truth says, and no report on them says anything untrue.

const PLAYED = [
  'forgotten-python-errors',
  'stale-pool-python-httpclient',
  'not-reading-c-epoll',
  'inherited-fd-c-fork',
  'closed-but-held-c-shutdown',
  'healthy-c-epoll',
  'proxy-leg-node-pipe',
  'accept-backlog-node-sync',
  'stalled-java-deadlock',
  'missing-close-java-nio',
];

const workloads = readWorkloads().filter(({ name }) => PLAYED.includes(name));
let programs: ReturnType<typeof build> | undefined;

before(() => {
  programs = build(new Set(workloads.map(({ runtime }) => runtime)));
});
after(() => programs?.remove());

for (const { name, needs, truth } of workloads) {
  test(`${name}: the report finds it, and says nothing untrue`, {
    skip: missing('root', 'python3', ...needs),
  }, async () => {
    const { truth: ready, stop } = await startProgram(['play.py', name, '--build', programs?.folder ?? '']);
    try {
      const pids = ready.pids.flatMap((pid) => ['-p', String(pid)]);
      const { code, stdout, stderr } = await unclosed('--json', '--stuck-after', '0s', ...pids);
      assert.ok(code === 0 || code === 1, `ended with ${code}: ${stderr}`);
      const { faults, untrue } = judge(JSON.parse(stdout).findings, truth, ready);
      assert.deepEqual(untrue, []);
      assert.deepEqual(
        faults.filter((fault) => fault !== 'cause unknown'),
        [],
      );
    } finally {
      await stop();
    }
    for (const pid of ready.pids) assert.ok(!existsSync(`/proc/${pid}`), `process ${pid} is still there`);
  });
}
