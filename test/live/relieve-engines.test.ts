import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { JsonReport, Run } from './cli.ts';
import { type OwnMachine, startMachine } from './own-machine.ts';
import { waitFor } from './wait.ts';
import { missing } from './workload.ts';

// Restarts and thawing with a real systemd, Podman and Docker, in a machine of the test's own.

const skip = missing(
  'root',
  'python3',
  'unshare',
  'nsenter',
  'prlimit',
  'systemctl',
  'podman',
  'crun',
  'dockerd',
  'tar',
);

let machine: OwnMachine;
before(async () => {
  if (!skip) machine = await startMachine();
});
after(() => machine?.stop());

type Holder = NonNullable<JsonReport['findings'][0]['holder']> & {
  unit: string | null;
  container: { engine: string; id: string; name?: string } | null;
};

const relieve = (...args: string[]): Promise<Run> => machine.unclosed('relieve', '--older-than', '1s', ...args);
const words = ({ stdout }: Run): string => stdout.replace(/\s+/g, ' ').trim();

const SCHEMA = JSON.parse(readFileSync(new URL('../../schema/relief.json', import.meta.url), 'utf8'));
const fits = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(SCHEMA);

// biome-ignore lint/suspicious/noExplicitAny: a document is looked into here and there
async function json(...args: string[]): Promise<any> {
  const { stdout, stderr } = await relieve(...args, '--json');
  assert.notEqual(stdout, '', stderr);
  const document = JSON.parse(stdout);
  assert.ok(fits(document), JSON.stringify(fits.errors));
  return document;
}

/** The one process of a unit or container that holds stuck connections, as soon as there is one. */
async function stuckIn(...whom: string[]): Promise<{ holder: Holder; sockets: number }> {
  let seen: JsonReport['findings'] = [];
  let said = '';
  await waitFor(
    async () => {
      const { code, stdout, stderr } = await machine.unclosed('--json', '--stuck-after', '1s', ...whom);
      said = stderr;
      seen = code === 1 ? JSON.parse(stdout).findings : [];
      return seen.length > 0;
    },
    () => `something stuck in ${whom.join(' ')}: ${said}`,
  );
  const [{ holder, sockets } = assert.fail(), ...more] = seen;
  assert.equal(more.length, 0);
  return { holder: holder as Holder, sockets };
}

const isThere = async (pid: number): Promise<boolean> => (await machine.run('test', '-d', `/proc/${pid}`)).code === 0;

async function startUnit(name: string, count: number, more: string[] = []): Promise<Holder> {
  const command = `ExecStart=/bin/sh -c '${machine.workload('missing-close', '--count', String(count))}'`;
  await machine.addUnit(name, [command, ...more]);
  await machine.get('systemctl', 'start', name);
  const { holder, sockets } = await stuckIn('--unit', name);
  assert.equal(sockets, count);
  assert.equal(holder.unit, name);
  return holder;
}

test('a unit is restarted by its systemd: another process, other sockets, both in the log', { skip }, async () => {
  const { pid } = await startUnit('shop.service', 7);
  const dry = await relieve('--unit', 'shop.service', '--action', 'restart-unit');
  assert.equal(dry.code, 10, dry.stdout + dry.stderr);
  assert.match(dry.stdout, /Would do: systemctl restart shop\.service/);
  assert.equal(await isThere(pid), true);

  const done = await relieve('--unit', 'shop.service', '--action', 'restart-unit', '--yes', '--json');
  assert.equal(done.code, 0, done.stdout + done.stderr);
  const { result, plans, evidence, log } = JSON.parse(done.stdout);
  const [{ outcome }] = plans;
  assert.equal(result, 'done');
  const main = Number(await machine.get('systemctl', 'show', '--property=MainPID', '--value', 'shop.service'));
  assert.deepEqual(outcome.restarted, { name: 'shop.service', runs: true, state: 'active (running)', pid: main });
  assert.match(outcome.text, new RegExp(`^pid ${pid} has ended, [0-9]+ descriptors freed; shop\\.service runs again`));
  assert.equal(await isThere(pid), false);
  assert.notEqual((await stuckIn('--unit', 'shop.service')).holder.pid, pid);
  assert.equal((await machine.run('test', '-s', `${evidence.recording}/meta.json`)).code, 0);
  assert.match(await machine.get('cat', log), /"event":"begin".*\n\n.*"event":"end"/);
  const told = await machine.unclosed('relieve', '--log');
  assert.match(words(told), /root restart-unit · python3 pid [0-9]+ · shop\.service · 7 connections done: pid/);
});

test('a unit that does not come up again is told as what it is', { skip }, async () => {
  const guard = ['ExecStartPre=/usr/bin/test ! -e /run/broken'];
  const { pid } = await startUnit('till.service', 3, guard);
  await machine.get('touch', '/run/broken');
  const run = await relieve('--unit', 'till.service', '--action', 'restart-unit', '--yes', '--no-evidence');
  assert.equal(run.code, 13, run.stdout + run.stderr);
  assert.match(words(run), new RegExp(`pid ${pid} has ended, .*; till\\.service does not run again, it is failed`));
});

test('a unit whose program ends again and again is told as what it is', { skip }, async () => {
  const program = `test ! -e /run/faulty && ${machine.workload('missing-close', '--count', '3')}`;
  const again = ['Restart=always', 'RestartSec=100ms', `ExecStart=/bin/sh -c '${program}'`];
  await machine.addUnit('loop.service', again);
  await machine.get('systemctl', 'start', 'loop.service');
  await stuckIn('--unit', 'loop.service');
  await machine.get('touch', '/run/faulty');
  const run = await relieve('--unit', 'loop.service', '--action', 'restart-unit', '--yes', '--no-evidence');
  assert.equal(run.code, 13, run.stdout + run.stderr);
  assert.match(
    words(run),
    /loop\.service does not run again, it is [a-z]+( \([a-z-]+\))?( after [0-9]+ more starts?)?$/,
  );
});

test('a limit that is raised says where the next start gets its own from', { skip }, async () => {
  const { pid } = await startUnit('narrow.service', 9, ['LimitNOFILE=900']);
  await machine.get('prlimit', '--pid', String(pid), '--nofile=16:900');
  const run = await relieve('--unit', 'narrow.service', '--fd-limit', '800', '--yes', '--no-evidence');
  assert.equal(run.code, 0, run.stdout + run.stderr);
  assert.match(words(run), /LimitNOFILE= of narrow\.service sets/);
  assert.match(words(run), /it may have 800 descriptors now/);
  // What was said is so: the drop-in is what counts after a restart, and the limit that was raised does not.
  await machine.get('mkdir', '/etc/systemd/system/narrow.service.d');
  const dropIn = 'printf "[Service]\\nLimitNOFILE=700\\n" > /etc/systemd/system/narrow.service.d/limit.conf';
  await machine.get('sh', '-c', `${dropIn}; systemctl daemon-reload`);
  const restarted = await relieve('--unit', 'narrow.service', '--action', 'restart-unit', '--yes', '--no-evidence');
  assert.equal(restarted.code, 0, restarted.stdout + restarted.stderr);
  const next = (await stuckIn('--unit', 'narrow.service')).holder.pid;
  assert.match(await machine.get('prlimit', '--pid', String(next), '--nofile', '--raw'), / 700 /);
});

test('a frozen cgroup of version 2 is thawed, and one above it is named and left alone', { skip }, async () => {
  const { pid } = await startUnit('cold.service', 4, ['Slice=north.slice']);
  const group = '/sys/fs/cgroup/north.slice';
  const freeze = async (path: string, to: 0 | 1): Promise<void> => {
    await machine.get('sh', '-c', 'echo "$1" > "$0/cgroup.freeze"', path, String(to));
    await waitFor(
      async () => (await machine.get('cat', `${path}/cgroup.events`)).includes(`frozen ${to}`),
      () => `frozen ${to} of ${path}`,
    );
  };
  await freeze(group, 1);
  const above = await relieve('--unit', 'cold.service', '--yes', '--no-evidence');
  assert.equal(above.code, 12, above.stdout + above.stderr);
  assert.match(words(above), /frozen by a cgroup above its own: \/sys\/fs\/cgroup\/north\.slice /);
  await freeze(group, 0);
  await freeze(`${group}/cold.service`, 1);
  const dry = await json(String(pid));
  assert.deepEqual([dry.result, dry.plans[0].action], ['dry-run', 'thaw']);
  assert.equal(await machine.get('cat', `${group}/cold.service/cgroup.freeze`), '1');
  const run = await relieve(String(pid), '--yes', '--no-evidence');
  assert.equal(run.code, 0, run.stdout + run.stderr);
  assert.match(words(run), new RegExp(`pid ${pid} runs again, and has closed 0 of 4`));
  assert.equal(await machine.get('cat', `${group}/cold.service/cgroup.freeze`), '0');
});

/** What both engines are asked alike. `run` makes a container of this name from the arguments. */
const ENGINES: Record<'podman' | 'docker', { prepare(): Promise<void>; run(name: string, args: string[]): string[] }> =
  {
    podman: {
      prepare: async () => {},
      // Without what a machine needs for it that lends root only some of its rights: limits, controllers, device filters.
      run: (name, args) => [
        ...['run', '-d', '--name', name, '--network', 'none', '--stop-signal', 'SIGKILL', ...machine.mounts],
        ...['--privileged', '--pids-limit', '-1', '--ulimit', 'nofile=1024:2048', '--ulimit', 'nproc=1000:1000'],
        ...['--rootfs', machine.tree, ...args],
      ],
    },
    docker: {
      prepare: async () => {
        const daemon = 'dockerd --bridge none --iptables=false --ip6tables=false --storage-driver vfs';
        const command = `ExecStart=/usr/bin/env ${daemon} --exec-opt native.cgroupdriver=cgroupfs`;
        await machine.addUnit('engine.service', ['Type=notify', 'Delegate=yes', command]);
        await machine.get('systemctl', 'start', 'engine.service');
        await machine.get('sh', '-c', 'tar -C "$0" -c . | docker import - tree', machine.tree);
      },
      run: (name, args) => [
        ...['run', '-d', '--name', name, '--network', 'none', '--stop-signal', 'SIGKILL', ...machine.mounts],
        ...['tree', ...args],
      ],
    },
  };

for (const engine of ['podman', 'docker'] as const) {
  test(`${engine}: a container is named, its pause is left to it, it is restarted, its connections are ended`, {
    skip,
  }, async () => {
    const { prepare, run } = ENGINES[engine];
    await prepare();
    const name = `cart-${engine}`;
    const command = ['sh', '-c', machine.workload('missing-close', '--count', '5')];
    const id = await machine.get(engine, ...run(name, command));
    const { holder, sockets } = await stuckIn('--container', name);
    assert.deepEqual([sockets, holder.container], [5, { engine, id, name }]);

    const { pid } = holder;
    await machine.get(engine, 'pause', id);
    const paused = await json('--container', name, '--yes');
    assert.deepEqual([paused.result, paused.plans[0].instead], ['refused', [`${engine} unpause ${id.slice(0, 12)}`]]);
    await machine.get(engine, 'unpause', id);

    const restart = ['--container', id.slice(0, 12), '--action', 'restart-container'];
    const dry = await relieve(...restart);
    assert.equal(dry.code, 10, dry.stdout + dry.stderr);
    assert.match(words(dry), new RegExp(`Would do: ${engine} restart ${id.slice(0, 12)} `));
    const done = await relieve(...restart, '--yes');
    assert.equal(done.code, 0, done.stdout + done.stderr);
    const first = await machine.get(engine, 'inspect', '--format', '{{.State.Pid}}', id);
    assert.match(words(done), new RegExp(`pid ${pid} has ended, .*; ${name} runs again \\(running, pid ${first}\\)`));
    assert.equal(await isThere(pid), false);

    await stuckIn('--container', name);
    const ended = await json('--container', name, '--action', 'shutdown', '--sockets-only', '--yes', '--no-evidence');
    assert.equal(ended.plans[0].outcome.acted_on, 5);
    assert.deepEqual(
      [ended.result, ended.plans[0].outcome.after.close_wait, ended.plans[0].outcome.after.closed_but_held],
      ['done', 0, 5],
    );
    await machine.get(engine, 'rm', '-f', id);
  });
}

test('a container that a unit runs, as Quadlet has it, is restarted by its unit and not by Podman', {
  skip,
}, async () => {
  const [, , ...arguments_] = ENGINES.podman.run('quad', []);
  const command = `'${machine.workload('missing-close', '--count', '2')}'`;
  const podman = ['/usr/bin/env podman run -d --cgroups=split --sdnotify=conmon --rm --replace', ...arguments_];
  await machine.addUnit('quad.service', [
    ...['Type=notify', 'NotifyAccess=all', 'Delegate=yes', 'Environment=PODMAN_SYSTEMD_UNIT=%n', 'KillMode=mixed'],
    `ExecStart=${[...podman, 'sh', '-c', command].join(' ')}`,
    'ExecStop=/usr/bin/env podman rm -f -i quad',
    'TimeoutStopSec=15',
  ]);
  await machine.get('systemctl', 'start', 'quad.service');
  const { pid, unit, container } = (await stuckIn('--container', 'quad')).holder;
  assert.deepEqual([unit, container?.engine, container?.name], ['quad.service', 'podman', 'quad']);
  const refused = await json('--container', 'quad', '--action', 'restart-container', '--yes');
  assert.deepEqual([refused.result, refused.plans[0].why], ['refused', 'systemd runs this container, as quad.service']);
  assert.equal(await isThere(pid), true);
  const run = await relieve('--unit', 'quad.service', '--action', 'restart-unit', '--yes', '--no-evidence');
  assert.equal(run.code, 0, run.stdout + run.stderr);
  assert.match(
    words(run),
    new RegExp(`pid ${pid} has ended, .*; quad\\.service runs again \\(active \\(running\\), pid`),
  );
  assert.notEqual((await stuckIn('--container', 'quad')).holder.pid, pid);
});
