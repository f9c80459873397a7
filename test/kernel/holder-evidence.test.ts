import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addEvidence, type StuckSockets } from '../../src/kernel/holder-evidence.ts';
import type { Process } from '../../src/model/process.ts';
import { type FakeData, FakeMachine } from '../helpers/fake-machine.ts';
import { process, times } from '../helpers/model.ts';

const SOCKETS = new Map([
  [1000, [10]],
  [1001, [11, 12]],
]);
const stuck = (unread: boolean): StuckSockets => ({ inodesOf: () => [1000], holdsUnread: () => unread });
const STUCK = stuck(true);
const entry = (fd: number, events: number, inode: number): string =>
  `tfd: ${fd} events: ${events.toString(16)} data: 1  pos:0 ino:${inode.toString(16)} sdev:9\n`;

/** A process with an epoll set at 3, which knows the first socket; 0 is a terminal. */
const machineData = (): FakeData => ({
  lists: { '/proc/812/fd': ['0', '3', '10', '11', '12'] },
  links: { '/proc/812/fd/0': '/dev/pts/0', '/proc/812/fd/3': 'anon_inode:[eventpoll]' },
  files: {
    '/proc/812/fdinfo/3': `pos:\t0\n${entry(10, 0x19, 1000)}${entry(99, 0x19, 5555)}`,
    '/proc/812/fdinfo/10': 'pos:\t0\nflags:\t02004002\n',
  },
});

function looked(data: FakeData, fields: Partial<Process> = {}): { seen: Process; machine: FakeMachine } {
  const machine = new FakeMachine({ processes: [{ pid: 812 }], ...data });
  const seen = process({ sockets: SOCKETS, ...fields });
  addEvidence(machine, [seen], STUCK);
  return { seen, machine };
}

test('the sockets of a process that its epoll sets know are found by their inode, with their events', () => {
  const { epoll } = looked(machineData()).seen;
  assert.deepEqual(epoll, { sets: [{ fd: 3, sockets: new Map([[1000, 0x19]]) }], complete: true });
});

test('no descriptor that is known to be a socket is asked what it is', () => {
  assert.deepEqual(looked(machineData()).machine.callsOf('link '), ['link /proc/812/fd/0', 'link /proc/812/fd/3']);
});

test('without an inode the number of the descriptor tells which socket it is', () => {
  const data = machineData();
  Object.assign(data.files ?? {}, { '/proc/812/fdinfo/3': 'tfd: 12 events: 19 data: 1\n' });
  assert.deepEqual(looked(data).seen.epoll?.sets, [{ fd: 3, sockets: new Map([[1001, 0x19]]) }]);
});

test('a set that cannot be read, or io_uring, leaves open who watches what', () => {
  const unread = machineData();
  unread.refuse = { 'read /proc/812/fdinfo/3': 'EACCES' };
  assert.deepEqual(looked(unread).seen.epoll, { sets: [], complete: false });
  const ring = machineData();
  Object.assign(ring.links ?? {}, { '/proc/812/fd/0': 'anon_inode:[io_uring]' });
  assert.equal(looked(ring).seen.epoll?.complete, false);
});

test('a process whose descriptors may not be listed, or with very many sockets, is not looked into', () => {
  assert.equal('epoll' in looked({}).seen, false);
  const many = new Map(times(5001, (i) => [i, [i]] as [number, number[]]));
  const { seen, machine } = looked(machineData(), { sockets: many });
  assert.equal('epoll' in seen, false);
  assert.deepEqual(machine.callsOf('list /proc/812/fd'), []);
});

test('of very many other descriptors only so many are looked at, those first that a thread waits on', () => {
  const data = machineData();
  const names = times(3000, (i) => String(i + 100));
  data.lists = { '/proc/812/fd': [...names, '3'] };
  const threadList = [{ tid: 812, wait: { call: 'epoll_wait', kind: 'events' as const, fd: 3 } }];
  const { seen, machine } = looked(data, { threadList });
  assert.deepEqual([seen.epoll?.complete, seen.epoll?.sets.length], [false, 1]);
  assert.equal(machine.callsOf('link ').length, 1000);
});

test('close-on-exec is asked of descriptors of stuck sockets only', () => {
  const { seen, machine } = looked(machineData());
  assert.deepEqual(seen.closeOnExec, { looked: 1, set: 1 });
  assert.deepEqual(machine.callsOf('read /proc/812/fdinfo/11'), []);
});

test('a frozen cgroup is read in either version, and is unknown where it cannot be', () => {
  const frozen = (cgroup: string, files: Record<string, string>) =>
    looked({ processes: [{ pid: 812, cgroup }], files }).seen.frozen;
  const state = '/sys/fs/cgroup/shop/cgroup.events';
  assert.equal(frozen('/shop', { [state]: 'populated 1\nfrozen 1\n' }), true);
  assert.equal(frozen('/shop', { [state]: 'populated 1\nfrozen 0\n' }), false);
  assert.equal(frozen('/shop', {}), undefined);
});

const stat = (state: string, ticks: number): string =>
  `812 (app) ${state} 1 812 812 0 -1 4194560 4382 156 0 0 ${ticks} 0 1 2 20 0 4 0 5000 4943872 1017\n`;

function watched(
  first: string,
  second: string,
  threadList: Process['threadList'] = [{ tid: 812 }],
  files: Record<string, string> = {},
) {
  let text = first;
  const data: FakeData = {
    before: (call, { files }) => {
      if (call.startsWith('pause')) text = second;
      if (files) files['/proc/812/task/812/stat'] = text;
    },
    files: { ...files },
  };
  const { seen, machine } = looked(data, { ...(threadList && { threadList }) });
  return { thread: seen.threadList?.[0], machine };
}

test('a thread that computes all through a second look is busy', () => {
  assert.deepEqual(watched(stat('R', 100), stat('R', 120)).thread, { tid: 812, state: 'running', busy: 1 });
});

test('a thread in uninterruptible sleep says in which function, by wchan or by its stack', () => {
  const sleepsIn = (files: Record<string, string>): string | undefined =>
    watched(stat('D', 100), stat('D', 100), [{ tid: 812 }], files).thread?.sleepsIn;
  const folder = '/proc/812/task/812';
  assert.equal(sleepsIn({ [`${folder}/wchan`]: 'rpc_wait_bit_killable' }), 'rpc_wait_bit_killable');
  assert.equal(
    sleepsIn({ [`${folder}/wchan`]: '0', [`${folder}/stack`]: '[<0>] io_schedule+0x46/0x80\n' }),
    'io_schedule',
  );
  assert.equal(sleepsIn({}), undefined);
});

test('a thread that rests, or is in another state the second time, is told as it was', () => {
  assert.deepEqual(watched(stat('D', 100), stat('D', 100)).thread, { tid: 812, state: 'uninterruptible', busy: 0 });
  assert.deepEqual(watched(stat('R', 100), stat('S', 102)).thread, { tid: 812, busy: 0.1 });
});

test('there is no second look when every thread waits in a call that is known, or nothing lies unread', () => {
  const waiting = [{ tid: 812, wait: { call: 'futex', kind: 'lock' as const } }];
  assert.deepEqual(watched(stat('S', 1), stat('S', 1), waiting).machine.callsOf('pause'), []);
  const machine = new FakeMachine({ processes: [{ pid: 812 }] });
  addEvidence(machine, [process({ sockets: SOCKETS, threadList: [{ tid: 812 }] })], stuck(false));
  assert.deepEqual(machine.callsOf('pause'), []);
});
