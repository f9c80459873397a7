import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../../src/model/errors.ts';
import type { Strand } from '../../../src/model/inside.ts';
import { parseThreadDump } from '../../../src/parse/java/thread-dump.ts';
import { onlyParseErrors } from '../../helpers/bytes.ts';

// Of workloads/java/Inside.java, and of a program with virtual threads; those that say so are written by hand, by the format of
// the sources of that JDK.
const fixture = (name: string): string =>
  readFileSync(new URL(`../../../fixtures/java/thread-dump-${name}.txt`, import.meta.url), 'utf8');

const strandOf = (name: string, thread: string): Strand & { nid?: number } => {
  const found = parseThreadDump(fixture(name)).threads.find(({ strand }) => strand.name === thread);
  assert.ok(found, thread);
  return { ...found.strand, ...(found.nid !== undefined && { nid: found.nid }) };
};

for (const [version, circle, nid] of [
  ['17.0.15', ['deadlock-0', 'deadlock-1'], 28],
  ['25.0.3', ['deadlock-2', 'deadlock-1'], undefined],
] as const) {
  test(`${version}: a deadlock is told with its threads, what each waits for, and who has that`, () => {
    const { deadlocks, complete, threads } = parseThreadDump(fixture(`${version}-deadlock`));
    assert.equal(complete, true);
    assert.deepEqual(deadlocks, [{ strands: [...circle] }]);
    const strand = strandOf(`${version}-deadlock`, circle[0]);
    assert.equal(strand.waitsFor?.owner, circle[1]);
    assert.match(strand.waitsFor?.lock ?? '', /^<0x[0-9a-f]+> \(a java\.lang\.Object\)$/);
    assert.equal(strand.state, 'BLOCKED');
    assert.deepEqual(strand.frames[0], {
      function: 'Inside.book',
      file: 'Inside.java',
      line: 108,
      origin: 'application',
    });
    assert.equal(strand.frames.at(-1)?.origin, 'runtime');
    if (nid !== undefined) assert.equal(strand.nid, nid);
    assert.ok(threads.every((thread) => thread.nid !== undefined));
    const own = threads.filter(({ strand: one }) => !one.ofRuntime).map(({ strand: one }) => one.name);
    assert.deepEqual(own, ['main', 'deadlock-0', 'deadlock-1', 'deadlock-2', 'deadlock-3']);
  });
}

test('circles are told without the threads that only wait for one of them, monitors and java.util.concurrent alike', () => {
  const { deadlocks } = parseThreadDump(fixture('25.0.3-virtual-threads'));
  assert.deepEqual(deadlocks, [{ strands: ['orders', 'stock "keeper"'] }, { strands: ['left', 'right'] }]);
  const text = fixture('17.0.15-deadlock').replace(
    '=============================\n',
    '=============================\n"late":\n  waiting to lock monitor 0x1 (object 0x2, a A),\n  which is held by "deadlock-0"\n\n',
  );
  assert.deepEqual(parseThreadDump(text).deadlocks, [{ strands: ['deadlock-0', 'deadlock-1'] }]);
});

test('25: a carrier has the frames of the virtual thread that it carries within its own', () => {
  const strand = strandOf('25.0.3-virtual-threads', 'ForkJoinPool-1-worker-1 (carries virtual thread #29)');
  assert.equal(strand.frames[0]?.function, 'V.lambda$start$0');
  assert.equal(strand.frames.at(-1)?.function, 'java.util.concurrent.ForkJoinWorkerThread.run');
  assert.equal(strand.nid, 17_164);
});

test('25: a ReentrantLock has its owner, and a thread in Object.wait() has given its lock back', () => {
  assert.deepEqual(strandOf('25.0.3-virtual-threads', 'left').waitsFor?.owner, 'right');
  assert.equal(strandOf('25.0.3-virtual-threads', 'waiter').waitsFor, undefined);
});

test('8: frames without modules, pools that only wait for work, and frames of libraries', () => {
  const reading = strandOf('8-hand-written', 'http-nio-8080-exec-1');
  assert.equal(reading.nid, 0x1c3f);
  assert.deepEqual(
    reading.frames.map(({ origin }) => origin),
    ['runtime', 'runtime', 'runtime', 'library', 'application', 'runtime', 'runtime'],
  );
  assert.deepEqual(reading.frames[4], {
    function: 'com.example.shop.Prices.fetch',
    file: 'Prices.java',
    line: 42,
    origin: 'application',
  });
  assert.equal(reading.frames[0]?.file, undefined);
  assert.equal(strandOf('8-hand-written', 'http-nio-8080-exec-2').waitsFor?.owner, 'http-nio-8080-exec-1');
  assert.equal(strandOf('8-hand-written', 'pool-1-thread-1').waitsFor, undefined);
  assert.equal(strandOf('8-hand-written', 'GC task thread#0 (ParallelGC)').ofRuntime, true);
  assert.equal(parseThreadDump(fixture('8-hand-written')).complete, true);
});

test('11: a lock that is to be taken again in wait() is waited for', () => {
  const { waitsFor, frames } = strandOf('11-hand-written', 'main');
  assert.deepEqual(waitsFor, { lock: '<0x000000069ec31608> (a java.lang.Object)' });
  assert.deepEqual(frames[2], {
    function: 'com.example.shop.Orders.await',
    file: 'Orders.java',
    line: 13,
    origin: 'application',
  });
});

test('21: numbers of threads are decimal, and stand behind the name where the thread carries another', () => {
  assert.equal(strandOf('21-hand-written', 'main').nid, 17_138);
  assert.equal(strandOf('21-hand-written', 'main').frames.at(-1)?.file, 'Main.java');
  assert.equal(strandOf('21-hand-written', 'ForkJoinPool-1-worker-1 (carries virtual thread #29)').nid, 17_164);
});

test('a dump that is cut short says so, and gives what is there', () => {
  const whole = fixture('17.0.15-deadlock');
  const { complete, threads } = parseThreadDump(whole.slice(0, whole.indexOf('"Signal Dispatcher"')));
  assert.equal(complete, false);
  assert.deepEqual(
    threads.map(({ strand }) => strand.name),
    ['main', 'Reference Handler', 'Finalizer'],
  );
});

test('what is no thread dump is a parse error', () => {
  assert.throws(() => parseThreadDump(''), ParseError);
  assert.throws(() => parseThreadDump('AttachNotSupported'), ParseError);
});

test('very deep stacks are cut, and counted', () => {
  const frames = Array.from({ length: 1024 }, (_, i) => `\tat com.example.Deep.down(Deep.java:${i + 1})\n`).join('');
  const text = `Full thread dump X:\n\n"deep" #1 prio=5 tid=0x1 nid=0x1 runnable\n${frames}\nJNI global refs: 1\n`;
  const { cutStacks, threads } = parseThreadDump(text);
  assert.equal(cutStacks, 1);
  assert.equal(threads[0]?.strand.frames.length, 200);
});

test('a dump that is broken anywhere gives threads or a parse error', () => {
  const whole = fixture('25.0.3-virtual-threads');
  const piece = fc.oneof(
    fc.string({ maxLength: 40, unit: 'binary' }),
    fc.constantFrom(
      '"',
      '\n',
      '\t- ',
      '\tat ',
      ' #1 ',
      'Found one Java-level deadlock:\n',
      '":\n',
      '   Mounted virtual thread #1\n',
    ),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(whole.length), fc.nat(30), piece), { maxLength: 8 }), (changes) => {
      let text = whole;
      for (const [at, length, put] of changes) text = text.slice(0, at) + put + text.slice(at + length);
      onlyParseErrors(() => parseThreadDump(text));
    }),
    { numRuns: 300 },
  );
});

test('lines without an end take no longer than others', () => {
  const hostile = `Full thread dump X\n${`"${'" #1 daemon '.repeat(200)}\n\tat ${'(('.repeat(2000)}\n\t- ${'a '.repeat(2000)}\n`.repeat(200)}`;
  const began = performance.now();
  parseThreadDump(hostile);
  assert.ok(performance.now() - began < 2000);
});
