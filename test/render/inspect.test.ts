import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { viewsOf } from '../../src/diagnose/inside/views.ts';
import { DEFAULT_LIMITS } from '../../src/model/finding.ts';
import type { Inside } from '../../src/model/inside.ts';
import { renderInspections } from '../../src/render/inspect.ts';
import type { ReportOptions } from '../../src/render/options.ts';
import { renderReport } from '../../src/render/report.ts';
import { assertGolden } from '../helpers/golden.ts';
import { frame, inside, objectFor, strand } from '../helpers/inside.ts';
import { process, socket } from '../helpers/model.ts';
import { inbound, type Scene, snapshotOf } from '../helpers/scene.ts';

const OPTIONS: ReportOptions = {
  width: 80,
  paint: (_style, text) => text,
  limits: DEFAULT_LIMITS,
  all: false,
  verbose: false,
  again: '',
};

function page(scene: Scene, seen: Inside, options: Partial<ReportOptions> = {}): string {
  const snapshot = snapshotOf(scene);
  const holder = snapshot.processes.get(812) ?? process();
  const diagnosis = diagnose(snapshot, DEFAULT_LIMITS, new Map([[812, seen]]));
  const inspections = [{ process: holder, inside: seen, strands: viewsOf(seen, snapshot) }];
  const all = { ...OPTIONS, ...options };
  return renderReport(snapshot, diagnosis, all, renderInspections(inspections, all));
}

const STUCK: Scene = { stuck: inbound(12) };
const FIRST = socket();
const WAITING = [
  'run sun.nio.ch.Net.poll',
  'run sun.nio.ch.NioSocketImpl.park',
  'lib redis.clients.jedis.Protocol.read Protocol.java:52',
  'lib redis.clients.jedis.Jedis.get Jedis.java:99',
  'com.shop.orders.Cache.lookup Cache.java:31',
  'lib org.apache.catalina.core.StandardWrapperValve.invoke StandardWrapperValve.java:197',
  'com.shop.Main.run Main.java:8',
];
const SEEN = inside({
  depth: 'deep',
  runtime: 'java',
  version: '17.0.15',
  strands: [
    ...['exec-1', 'exec-2', 'exec-3', 'exec-4'].map((name) => strand(WAITING, { name, state: 'RUNNABLE' })),
    strand(['run java.util.concurrent.ThreadPoolExecutor.getTask'], { name: 'pool-1' }),
    strand([], { name: 'GC', ofRuntime: true }),
  ],
  objects: STUCK.stuck.map((it, i) => objectFor(i, it, { type: 'java.net.Socket', endDelivered: true })),
  watchedMs: 5000,
  endReads: STUCK.stuck.slice(0, 4).map(({ peer }) => ({
    peer,
    agoMs: 2000,
    frames: [frame('run java.net.Socket.read'), frame('com.shop.Feed.pump Feed.java:77')],
  })),
  classes: [{ name: 'java.net.Socket', count: 230, change: 12 }],
  pools: [{ name: 'HikariCP', detail: '10 of 10 in use' }],
  attachments: [{ what: 'SIGQUIT once, thread dump', tookMs: 24, pauseMs: 8 }],
});

test('a page on a process shows the line of code first, then its threads, objects, and what was done to it', () => {
  assertGolden('fixtures/golden/inspect-java.txt', page(STUCK, SEEN));
});

test('with --all every frame of every thread is shown', () => {
  const text = page(STUCK, SEEN, { all: true });
  for (const name of ['sun.nio.ch.Net.poll', 'redis.clients.jedis.Jedis.get', 'pool-1', 'GC'])
    assert.ok(text.includes(name), name);
});

test('no line of it is wider than the page, however long names are', () => {
  const long = 'x'.repeat(300);
  const seen = inside({
    strands: [strand([`com.${long}.Foo.bar ${long}/Foo.java:1`], { name: long })],
    objects: [objectFor(0, FIRST, { type: long })],
    classes: [{ name: long, count: 1 }],
  });
  const wide = page(STUCK, seen)
    .split('\n')
    .filter((line) => line.length > 80 && line.trim().includes(' '));
  assert.deepEqual(wide, []);
});

test('names from inside a process reach no terminal as control characters', () => {
  const seen = inside({
    strands: [
      strand([], { name: 'a\u001b[2Jb', state: 'c\u009bd' }),
      { kind: 'task', frames: [{ function: 'f\u001b]0;x', file: 'g\nh', origin: 'application' }] },
    ],
    objects: [objectFor(0, FIRST, { type: 'n\u0007', referredBy: ['dict \u001b[1m'] })],
    pools: [{ name: 'p\u001b' }],
  });
  assert.doesNotMatch(page(STUCK, seen, { all: true }), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
});
