import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { liveMachine } from '../../src/app/machine.ts';
import type { Inside, Strand } from '../../src/model/inside.ts';
import { inspectThreads } from '../../src/runtimes/any/inspect.ts';
import { subjectOf } from './inside.ts';
import { lookAsNobody, NOBODY, type Program, startReady, stopProcess, workshop } from './program.ts';
import { ofThreads, untilAsleep } from './wait.ts';
import { missing } from './workload.ts';

type Said = { pid: number; held: number; listener: number; peer: number; tids: [number, number] };

const skip = missing('cc', 'root');
const shop = workshop();
let program = '';
before(() => {
  if (!skip) program = shop.compile('threads.c');
});
after(() => shop.clear());

const statesOf = (pid: number): string[] => ofThreads(pid, 'stat').map((stat) => /\) (.)/.exec(stat)?.[1] ?? '');

async function look<T>(args: string[], check: (inside: Inside, said: Program<Said>) => T | Promise<T>): Promise<T> {
  const said = await startReady<Said>([program, ...args]);
  try {
    const { subject } = await subjectOf(said.pid, 'read');
    return await check(inspectThreads(subject), said);
  } finally {
    await said.stop();
  }
}

const named = ({ strands = [] }: Inside, name: string): Strand => {
  const found = strands.find((strand) => strand.name === name);
  assert.ok(found, `no thread ${name} among ${strands.map((strand) => strand.name).join(', ')}`);
  return found;
};

test('a thread in poll has the connections that it waits on, for what, and how long at most', { skip }, async () => {
  await look(['poll'], (inside, { peer, listener }) => {
    const { call, kernelState, busy } = named(inside, 'polls');
    assert.equal(call?.name, 'poll');
    assert.equal(call?.timeoutMs, 60_000);
    assert.deepEqual(
      call?.on?.map(({ fd, state, for: purpose }) => [fd, state, purpose]),
      [
        [peer, 'FIN_WAIT2', 'read'],
        [listener, 'LISTEN', 'read'],
      ],
    );
    assert.equal(kernelState, 'sleeping');
    assert.ok((busy ?? 1) < 0.5);
    assert.deepEqual(inside.gaps, []);
  });
});

test('a thread in select has the connection that it waits on', { skip }, async () => {
  await look(['select'], (inside, { peer }) => {
    const { call } = named(inside, 'selects');
    assert.match(call?.name ?? '', /^p?select/);
    assert.equal(call?.timeoutMs, 60_000);
    assert.deepEqual(
      call?.on?.map(({ fd, state }) => [fd, state]),
      [[peer, 'FIN_WAIT2']],
    );
  });
});

test('a thread in accept has the listener with its port', { skip }, async () => {
  await look(['accept'], (inside, { listener }) => {
    const [on] = named(inside, 'accepts').call?.on ?? [];
    assert.equal(on?.fd, listener);
    assert.equal(on?.state, 'LISTEN');
    assert.equal(on?.local?.address, '127.0.0.1');
  });
});

test('a main thread that reads its input waits on a socket that is no TCP connection', { skip }, async () => {
  await look(['poll'], (inside, { pid }) => {
    const main = inside.strands?.find(({ tid }) => tid === pid);
    assert.match(main?.call?.on?.[0]?.file ?? '', /^UNIX-STREAM socket$/);
  });
});

test('two threads that wait for each other are a deadlock, by what their mutexes say', { skip }, async () => {
  await look(['deadlock'], (inside, { tids }) => {
    const [stock, orders] = tids;
    assert.equal(named(inside, 'first-stock').call?.futex?.owner, orders);
    assert.equal(named(inside, 'first-orders').call?.futex?.owner, stock);
    const [deadlock, ...more] = inside.deadlocks ?? [];
    assert.deepEqual(deadlock?.strands.toSorted(), [`first-orders (${orders})`, `first-stock (${stock})`]);
    assert.deepEqual(more, []);
  });
});

test('500 threads that wait for one lock are counted, and its owner is known', { skip }, async () => {
  await look(['lock', '500'], (inside, { pid }) => {
    assert.equal(inside.strands?.length, 501);
    const waiting = inside.strands?.filter(({ call }) => call?.futex?.waiters === 500 && call.futex.owner === pid);
    assert.equal(waiting?.length, 500);
    assert.equal(inside.deadlocks, undefined);
  });
});

test('a thread that computes uses a processor and is in no call', { skip }, async () => {
  await look(['spin'], (inside) => {
    const { call, busy } = named(inside, 'spins');
    assert.equal(call, undefined);
    assert.ok((busy ?? 0) > 0.5, `busy ${busy}`);
  });
});

test('threads that end while they are looked at do no harm', { skip }, async () => {
  await look(['come-and-go'], (inside) => {
    assert.equal(named(inside, 'makes-threads').kind, 'thread');
    assert.deepEqual(inside.gaps, []);
  });
});

test('a stuck connection is in the epoll set that watches it, with what is asked for, or in none', {
  skip,
}, async () => {
  await look(['epoll'], ({ epoll, unwatched }) => {
    assert.equal(epoll?.length, 1);
    assert.deepEqual(
      epoll?.[0]?.stuck.map(({ events }) => events & 0xffff),
      [0x2019], // EPOLLIN and EPOLLRDHUP, and what the kernel adds: EPOLLERR and EPOLLHUP
    );
    assert.equal(epoll?.[0]?.watched, 1);
    assert.deepEqual(unwatched, []);
  });
  await look(['poll'], ({ epoll, unwatched }) => {
    assert.deepEqual(epoll, []);
    assert.equal(unwatched?.length, 1);
  });
});

test('a stopped process is read like any other, and stays stopped', { skip }, async () => {
  const said = await startReady<Said>([program, 'poll']);
  try {
    const { subject } = await subjectOf(said.pid, 'read');
    stopProcess(said.pid);
    const inside = inspectThreads(subject);
    assert.ok(inside.strands?.every(({ kernelState }) => kernelState === 'stopped'));
    assert.deepEqual(statesOf(said.pid), ['T', 'T']);
  } finally {
    await said.stop();
  }
});

test('a process that has ended meanwhile is a gap', { skip }, async () => {
  const said = await startReady<Said>([program, 'poll']);
  const { subject } = await subjectOf(said.pid, 'read');
  await said.stop();
  assert.deepEqual(
    inspectThreads(subject).gaps.map(({ code }) => code),
    ['INSIDE_FAILED'],
  );
});

test('as another user the names of threads are seen, and what they wait for is a gap', { skip }, async () => {
  const said = await startReady<Said>([program, 'poll']);
  try {
    const { inside } = await lookAsNobody(said.pid);
    assert.deepEqual(inside.strands?.map(({ name }) => name).toSorted(), ['polls', 'threads-c']);
    assert.ok(inside.strands?.every(({ call, kernelState }) => call === undefined && kernelState === 'sleeping'));
    assert.deepEqual(
      inside.gaps.map(({ code }) => code),
      ['INSIDE_DENIED'],
    );
  } finally {
    await said.stop();
  }
});

test('the same user sees all of it without root', { skip: skip || missing('setpriv') }, async () => {
  chmodSync(shop.folder, 0o755);
  const ids = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups'];
  const said = await startReady<Said>(['setpriv', ...ids, program, 'deadlock']);
  try {
    const { inside } = await lookAsNobody(said.pid);
    assert.equal(inside.deadlocks?.length, 1);
    assert.deepEqual(inside.gaps, []);
  } finally {
    await said.stop();
  }
});

test('in a pid namespace of its own, owners of locks are known by our numbers', {
  skip: skip || missing('unshare'),
}, async () => {
  const said = await startReady<Said>(['unshare', '--pid', '--fork', '--kill-child', program, 'deadlock']);
  try {
    assert.equal(said.pid, 1);
    const pid = Number(readFileSync(`/proc/${said.child.pid}/task/${said.child.pid}/children`, 'latin1'));
    const { subject } = await subjectOf(pid, 'read');
    const inside = inspectThreads(subject);
    const [deadlock] = inside.deadlocks ?? [];
    const stock = named(inside, 'first-stock').tid;
    assert.ok(deadlock?.strands.includes(`first-stock (${stock})`), JSON.stringify(inside.deadlocks));
    assert.notEqual(stock, said.tids[0]);
  } finally {
    await said.stop();
  }
});

/** Without the headers of a 32-bit C library: the call `pause` by its number there, after telling by the number of `write`. */
const NARROW = `
void _start(void) {
  static const char ready[] = "READY {}\\n";
  int unused;
  __asm__ volatile("int $0x80" : "=a"(unused) : "a"(4), "b"(1), "c"(ready), "d"(sizeof ready - 1) : "memory");
  for (;;) __asm__ volatile("int $0x80" : "=a"(unused) : "a"(29) : "memory");
}`;

test('of a 32-bit program it is said that its calls have other numbers', { skip: skip || noNarrow() }, async () => {
  const target = join(shop.folder, 'narrow');
  const flags = ['-m32', '-nostdlib', '-static', '-fno-pie', '-fno-stack-protector', '-x', 'c', '-', '-o', target];
  const { status, stderr } = spawnSync('cc', flags, { input: NARROW, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const said = await startReady<object>([target]);
  try {
    const pid = said.child.pid ?? 0;
    await untilAsleep(pid);
    const machine = await liveMachine();
    const rest = { machine, arch: process.arch, sockets: [], announce() {}, signal: new AbortController().signal };
    const inside = inspectThreads({ ...rest, process: { pid, name: 'narrow' }, depth: 'read' });
    assert.equal(inside.strands?.[0]?.kernelState, 'sleeping');
    assert.match(inside.strands?.[0]?.call?.name ?? '', /^system call/);
    assert.deepEqual(
      inside.gaps.map(({ code, what }) => `${code} ${what.slice(0, 24)}`),
      ['INSIDE_UNSUPPORTED it is a 32-bit program, '],
    );
  } finally {
    await said.stop();
  }
});

function noNarrow(): string | false {
  if (process.arch !== 'x64') return 'needs x86-64';
  const flags = ['-m32', '-nostdlib', '-static', '-x', 'c', '-', '-o', '/dev/null'];
  return spawnSync('cc', flags, { input: 'void _start(void) {}' }).status === 0 ? false : 'needs cc -m32';
}
