import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Process } from '../../../src/model/process.ts';
import { inspectThreads } from '../../../src/runtimes/any/inspect.ts';
import { findDeadlocks } from '../../../src/runtimes/any/locks.ts';
import type { Subject } from '../../../src/runtimes/subject.ts';
import { type FakeData, FakeMachine } from '../../helpers/fake-machine.ts';
import { process, socket } from '../../helpers/model.ts';

const stat = (tid: number, state = 'S'): string =>
  `${tid} (worker) ${state} 1 812 812 0 -1 4194560 4382 156 0 0 12 34 1 2 20 0 4 0 5812 4943872 1017\n`;
const call = (number: number, ...args: string[]): string =>
  `${[number, ...args, ...Array<string>(6 - args.length).fill('0x0')].join(' ')} 0x7ffd3c7e1b38 0x7f0e3a1c7a4a\n`;

function subject(data: FakeData, fields: Partial<Process> = {}): { subject: Subject; machine: FakeMachine } {
  const machine = new FakeMachine({
    processes: [{ pid: 812 }],
    ...data,
    lists: { '/proc/812/task': ['812', '813'], ...data.lists },
    files: {
      '/proc/812/task/812/stat': stat(812),
      '/proc/812/task/813/stat': stat(813),
      '/proc/812/task/812/syscall': call(45, '0x9'),
      '/proc/812/task/813/syscall': call(999),
      ...data.files,
    },
  });
  const rest = { machine, arch: 'x64', depth: 'read', announce() {}, signal: new AbortController().signal } as const;
  return { machine, subject: { ...rest, process: process(fields), sockets: [socket({ inode: 1000 })] } };
}

const codes = ({ gaps }: { gaps: { code: string }[] }): string[] => gaps.map(({ code }) => code);

test('what may not be read is a gap, once for all threads, and their names stay', () => {
  const { subject: it, machine } = subject({ refuse: { 'read /proc/812/task/812/syscall': 'EACCES' } });
  const inside = inspectThreads(it);
  assert.deepEqual(codes(inside), ['INSIDE_DENIED']);
  assert.deepEqual(
    inside.strands?.map(({ name, call: made }) => [name, made]),
    [
      ['worker', undefined],
      ['worker', undefined],
    ],
  );
  assert.deepEqual(machine.callsOf('read /proc/812/task/813/syscall'), []);
});

test('with a thread in an uninterruptible sleep the memory of the process is left alone', () => {
  const files = {
    '/proc/812/task/813/stat': stat(813, 'D'),
    '/proc/812/task/813/wchan': 'io_schedule',
    '/proc/812/task/812/syscall': call(7, '0x7f0000001000', '0x2', '0xffffffff'),
  };
  const inside = inspectThreads(subject({ files }).subject);
  assert.deepEqual(codes(inside), ['INSIDE_CUT']);
  assert.deepEqual(inside.strands?.[0]?.call, { name: 'poll', kind: 'events', forever: true });
  assert.equal(inside.strands?.[1]?.sleepsIn, 'io_schedule');
});

test('calls of an architecture whose numbers are not known here are a gap', () => {
  const inside = inspectThreads({
    ...subject({ files: { '/proc/812/task/813/stat': stat(813, 'D') } }).subject,
    arch: 's390x',
  });
  assert.ok(codes(inside).includes('INSIDE_UNSUPPORTED'));
  assert.equal(inside.strands?.[0]?.call?.name, 'system call 45');
});

test('epoll sets of a process with too many sockets are left in peace, and that is said', () => {
  const sockets = new Map(Array.from({ length: 20_001 }, (_, i) => [i + 1, [i]]));
  const files = { '/proc/812/task/813/stat': stat(813, 'D') };
  const inside = inspectThreads(subject({ files }, { sockets }).subject);
  assert.deepEqual([inside.epoll, inside.unwatched], [undefined, undefined]);
  assert.ok(inside.gaps.some(({ what }) => /20001 sockets/.test(what)));
});

test('threads that wait for each other are one circle, whoever waits outside of it', () => {
  const labels = new Map([1, 2, 3, 4].map((tid) => [tid, `t${tid}`]));
  const owners = new Map([
    [4, 1],
    [1, 2],
    [2, 3],
    [3, 1],
  ]);
  assert.deepEqual(findDeadlocks(owners, labels), [{ strands: ['t1', 't2', 't3'] }]);
  assert.deepEqual(findDeadlocks(new Map([[1, 2]]), labels), []);
});
