import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { TARGET } from '../../eval/table.ts';
import { readWorkloads } from '../../eval/workload.ts';

const workloads = readWorkloads();
const causes = [...new Set(workloads.map(({ truth }) => truth.cause))];

test('there are enough workloads, each with a name of its own that begins with its cause and runtime', () => {
  assert.ok(workloads.length >= TARGET.workloads);
  assert.equal(new Set(workloads.map(({ name }) => name)).size, workloads.length);
  for (const { name, runtime, truth } of workloads) {
    const cause = truth.cause === 'none' ? 'healthy' : truth.cause;
    assert.ok(name.startsWith(`${cause}-${runtime}-`), name);
  }
});

test('every cause has programs in three runtimes at least, and six programs are healthy', () => {
  assert.equal(causes.length, 12);
  for (const cause of causes) {
    const runtimes = new Set(workloads.flatMap(({ truth, runtime }) => (truth.cause === cause ? runtime : [])));
    assert.ok(runtimes.size >= 3, cause);
  }
  assert.ok(workloads.filter(({ truth }) => truth.cause === 'none').length >= 6);
});

test('the table in workloads/README.md has every workload and no other', () => {
  const page = readFileSync(new URL('../../workloads/README.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([^`]+)` +\| ([0-9]*) *\| (.*?) *\|$/gm)];
  const told = rows.map(([, name, sockets]) => [name, sockets]);
  for (const { name, truth } of workloads) {
    assert.deepEqual(
      told.filter(([it]) => it === name),
      [[name, String(truth.sockets ?? '')]],
    );
  }
  const last = rows.slice(-workloads.length).map(([, name]) => name);
  assert.deepEqual(last.toSorted(), workloads.map(({ name }) => name).sort());
});
