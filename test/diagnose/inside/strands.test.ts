import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callersOf, groupStrands, isAtRest, joinInside, ownFrame } from '../../../src/diagnose/inside/strands.ts';
import { frame, inside, strand } from '../../helpers/inside.ts';

const WAITING = [
  'run recv',
  'lib redis.Connection.read redis/connection.py:10',
  'Cache.get app/cache.py:31',
  'handle app/app.py:12',
];

test('the line to look at is the innermost of the program, and its callers follow', () => {
  const it = strand(WAITING);
  assert.equal(ownFrame(it)?.function, 'Cache.get');
  assert.deepEqual(
    callersOf(it.frames).map(({ function: name }) => name),
    ['handle'],
  );
  assert.equal(ownFrame(strand(['run recv'])), undefined);
});

test('equal stacks are one group, the largest first, with counts that the runtime gives', () => {
  const groups = groupStrands([
    strand(['a x.py:1'], { name: 'one' }),
    strand(['b x.py:2'], { count: 7 }),
    strand(['a x.py:1'], { name: 'two' }),
    strand(['a x.py:9'], { name: 'three' }),
  ]);
  assert.deepEqual(
    groups.map(({ count, names }) => [count, names]),
    [
      [7, []],
      [2, ['one', 'two']],
      [1, ['three']],
    ],
  );
});

test('threads that wait for a client each do the same, and those that wait for others do not', () => {
  const groups = (...doings: string[]) =>
    groupStrands(doings.map((state) => strand(['read x.py:1'], { state }))).map(
      ({ count, doing }) => `${count} ${doing}`,
    );
  assert.deepEqual(groups('waits to receive from client 10.0.0.1:1', 'waits to receive from client 10.0.0.2:2'), [
    '2 waits to receive from a client',
  ]);
  assert.deepEqual(groups('waits to receive from client 10.0.0.1:1'), ['1 waits to receive from client 10.0.0.1:1']);
  assert.equal(groups('waits to receive from 10.0.0.1:1', 'waits to receive from 10.0.0.2:2').length, 2);
});

test('a thread is at rest in a pool of the runtime, but not where the program itself waits for work', () => {
  const pool = 'run java.util.concurrent.ThreadPoolExecutor.getTask';
  assert.ok(isAtRest(strand([pool, 'run java.lang.Thread.run'])));
  assert.ok(!isAtRest(strand([pool, 'Worker.run App.java:4'])));
  assert.ok(!isAtRest(strand([])), 'of a thread without a stack nothing is known');
  assert.ok(isAtRest(strand([], { ofRuntime: true })));
});

test('a thread of a pool that is in a task of a library is not at rest', () => {
  const python = 'run _worker concurrent/futures/thread.py:81';
  assert.ok(isAtRest(strand([python, 'run Thread.run threading.py:975'])));
  assert.ok(!isAtRest(strand(['lib get requests/api.py:73', 'run _WorkItem.run', python])));
  const java = 'run java.util.concurrent.ForkJoinPool.runWorker';
  const park = ['run jdk.internal.misc.Unsafe.park', 'run java.util.concurrent.locks.LockSupport.park'];
  assert.ok(isAtRest(strand([...park, java])));
  assert.ok(!isAtRest(strand(['run sun.nio.ch.Net.poll', 'lib org.postgresql.PGStream.receive', java])));
});

test('what kernel and runtime say of one thread is joined by its number, and nothing is lost', () => {
  const kernel = inside({
    strands: [
      { kind: 'thread', tid: 1, name: 'java', frames: [] },
      { kind: 'thread', tid: 2, name: 'GC', frames: [] },
    ],
    gaps: [{ code: 'INSIDE_CUT', what: 'a', effect: 'b', remedy: 'c' }],
  });
  const runtime = inside({
    depth: 'attach',
    runtime: 'java',
    version: '17.0.15',
    strands: [strand(['App.run App.java:1'], { tid: 1, name: 'main' }), { kind: 'task', frames: [frame('t x.py:1')] }],
    attachments: [{ what: 'thread dump', tookMs: 20 }],
  });
  const joined = joinInside(kernel, runtime);
  assert.deepEqual(
    joined.strands?.map(({ tid, name, frames }) => [tid, name, frames.length]),
    [
      [1, 'main', 1],
      [undefined, undefined, 1],
      [2, 'GC', 0],
    ],
  );
  assert.equal(joined.version, '17.0.15');
  assert.equal(joined.gaps.length, 1);
  assert.equal(joined.attachments.length, 1);
  assert.equal(joinInside(kernel, undefined), kernel);
});

test('a circle of locks in which one has a time-out ends by itself, and is no deadlock', () => {
  const circle = (state: string) => {
    const strands = [
      strand(['a X.java:1'], { name: 'one', state }),
      strand(['b X.java:2'], { name: 'two', state: 'WAITING (parking)' }),
    ];
    return joinInside(inside({}), inside({ strands, deadlocks: [{ strands: ['one', 'two'] }] })).deadlocks?.length;
  };
  assert.equal(circle('WAITING (parking)'), 1);
  assert.equal(circle('TIMED_WAITING (parking)'), 0);
});
