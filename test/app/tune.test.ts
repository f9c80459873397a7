import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outcomeOf, stepsBack } from '../../src/app/change-parameters.ts';
import { parametersOf, planChanges } from '../../src/app/tune.ts';
import { SystemError, UnclosedError } from '../../src/model/errors.ts';
import { FakeMachine } from '../helpers/fake-machine.ts';
import { HOST_NETNS, holding, sockets } from '../helpers/model.ts';

const OTHER = 4026532177;
const stuck = sockets(5, { keepalive: false });

const machine = (files: Record<string, string> = {}) =>
  new FakeMachine({
    processes: [
      { pid: 812, sockets: holding(...stuck) },
      { pid: 900, netns: OTHER },
    ],
    namespaces: [{ sockets: stuck }, { id: OTHER }],
    parameters: {
      [HOST_NETNS]: { 'net.ipv4.tcp_keepalive_time': '7200', 'net.ipv4.tcp_fin_timeout': '60' },
      [OTHER]: { 'net.ipv4.tcp_keepalive_time': '600' },
    },
    files: { '/proc/sys/fs/file-max': '2466177\n', '/proc/sys/fs/file-nr': '1161\t0\t2466177\n', ...files },
  });

const valueAt = (at: ReturnType<typeof parametersOf>['concerned'][number] | undefined, name: string) =>
  at?.page.settings.find((it) => it.name === name)?.value;

test('each namespace has its own values, and those of the machine are the same everywhere', () => {
  const own = parametersOf(machine(), {}).concerned;
  assert.deepEqual(
    own.map(({ page }) => page.netns.id),
    [HOST_NETNS],
  );
  assert.equal(valueAt(own[0], 'net.ipv4.tcp_keepalive_time'), '7200');
  assert.equal(own[0]?.page.closeWait, 5);
  const [other] = parametersOf(machine(), { filter: { pids: [900] }, pids: [900] }).concerned;
  assert.equal(valueAt(other, 'net.ipv4.tcp_keepalive_time'), '600');
  assert.equal(valueAt(other, 'fs.file-max'), '2466177');
});

test('what cannot be read has no value, and is not changed', () => {
  const [own] = parametersOf(machine(), {}).concerned;
  assert.ok(own);
  assert.equal(valueAt(own, 'net.core.somaxconn'), undefined);
  assert.deepEqual(
    planChanges(['somaxconn=1024'], own).refused.map(({ name }) => name),
    ['net.core.somaxconn'],
  );
});

test('changes are planned with the value that was there; the same value is none', () => {
  const [own] = parametersOf(machine(), {}).concerned;
  assert.ok(own);
  const plan = planChanges(['tcp_keepalive_time=600', 'net/ipv4/tcp_fin_timeout = 60', 'tcp_keepalive_time=60'], own);
  assert.deepEqual(
    plan.changes.map(({ name, before, after }) => [name, before, after]),
    [['net.ipv4.tcp_keepalive_time', '7200', '600']],
  );
  assert.deepEqual(plan.unchanged, ['net.ipv4.tcp_fin_timeout']);
  assert.match(plan.refused[0]?.why ?? '', /twice/);
  assert.throws(() => planChanges(['kernel.panic=1'], own), UnclosedError);
});

test('what is taken back is what still has the value that was set', () => {
  const steps = [
    { name: 'a', before: '1', after: '2' },
    { name: 'b', before: '1', after: '2' },
    { name: 'c', before: '1', after: '2' },
  ];
  const values = new Map([
    ['a', '2'],
    ['b', '1'],
    ['c', '3'],
  ]);
  const plan = stepsBack({ run: 'r', at: '', deed: { netns: { id: 1 }, steps } }, values);
  assert.deepEqual(plan.steps, [{ name: 'a', before: '2', after: '1' }]);
  assert.deepEqual(plan.asBefore, ['b']);
  assert.deepEqual(
    plan.changedSince.map(({ name }) => name),
    ['c'],
  );
});

test('a change is done when the kernel says so, and a refusal says what it means', () => {
  const step = { name: 'a', before: '1', after: '2' };
  assert.equal(outcomeOf(step, () => '2').done, true);
  assert.match(outcomeOf(step, () => '3').why ?? '', /made 3 of it/);
  const refuse = (code: string) => outcomeOf(step, () => assert.fail(new SystemError(code, 'write x'))).why ?? '';
  assert.match(refuse('EROFS'), /read-only/);
  assert.match(refuse('EACCES'), /root/);
  assert.match(refuse('ESTALE'), /meanwhile/);
  assert.match(refuse('EINVAL'), /does not take/);
});
