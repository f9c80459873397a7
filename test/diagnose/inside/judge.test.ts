import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Inside } from '../../../src/model/inside.ts';
import { findingsWith, frame, inside, objectFor, strand } from '../../helpers/inside.ts';
import { endpoint } from '../../helpers/model.ts';
import {
  EPOLLET,
  EPOLLIN,
  inbound,
  LOCKED,
  outbound,
  type Scene,
  snapshotOf,
  thread,
  told,
} from '../../helpers/scene.ts';

const toldInside = (scene: Scene, seen: Partial<Inside>): string[] =>
  findingsWith(inside(seen), snapshotOf(scene)).map(
    ({ cause, confidence, subject }) => `${cause} ${confidence} ${subject.sockets.length}`,
  );
const factsInside = (scene: Scene, seen: Partial<Inside>): string =>
  findingsWith(inside(seen), snapshotOf(scene))
    .flatMap(({ evidence }) => evidence.map(({ fact, says }) => `${fact}: ${says}`))
    .join('\n');

const READ: Scene = { stuck: inbound(12) };
const END: Scene = { stuck: inbound(12, { recvQueue: 1 }) };

test('an object that was told of the end and has not ended its side proves a missing close', () => {
  const objects = READ.stuck.map((it, i) =>
    objectFor(i, it, { endDelivered: true, writableEnded: false, allowHalfOpen: true }),
  );
  assert.deepEqual(told(READ), ['missing-close likely 12']);
  assert.deepEqual(toldInside(READ, { objects }), ['missing-close proven 12']);
  assert.match(factsInside(READ, { objects }), /told of the end on 12 of 12 \(net\.Socket\)/);
});

test('while nothing was sent back, the program may still wait for its own answers: that proves no missing close', () => {
  const unanswered: Scene = { stuck: inbound(12, { bytesAcked: 1, bytesReceived: 80 }) };
  const objects = unanswered.stuck.map((it, i) => objectFor(i, it, { endDelivered: true, allowHalfOpen: true }));
  const [first] = outbound(1);
  const asked = first ? [objectFor(900, first, { pool: { name: 'http.Agent', idle: false } })] : [];
  assert.deepEqual(toldInside(unanswered, { objects: [...objects, ...asked] }), ['missing-close likely 12']);
  assert.match(factsInside(unanswered, { objects: [...objects, ...asked] }), /1 connection of http\.Agent is in use/);
  const answered: Scene = { stuck: inbound(12, { bytesAcked: 200, bytesReceived: 80 }) };
  assert.deepEqual(toldInside(answered, { objects }), ['missing-close proven 12']);
});

test('objects that stand for a few of the sockets prove nothing for the others', () => {
  const objects = READ.stuck.slice(0, 5).map((it, i) => objectFor(i, it, { endDelivered: true }));
  assert.deepEqual(toldInside(READ, { objects }), ['missing-close likely 12']);
});

test('an object of another connection on the same descriptor is not taken for this one', () => {
  const objects = READ.stuck.map((it, i) => objectFor(i, it, { endDelivered: true, peer: endpoint('10.0.0.9:1') }));
  assert.deepEqual(toldInside(READ, { objects }), ['missing-close likely 12']);
});

test('objects without a descriptor are tied by their ends, IPv4 in IPv6 form too', () => {
  const objects = READ.stuck.map(({ local, peer }) => ({
    type: 'java.net.Socket',
    local,
    peer: { ...peer, address: `::ffff:${peer.address}` },
    endDelivered: true,
  }));
  assert.deepEqual(toldInside(READ, { objects }), ['missing-close proven 12']);
});

test('reading that is switched off overturns what looks forgotten from outside', () => {
  const objects = END.stuck.map((it, i) => objectFor(i, it, { paused: true, endDelivered: false }));
  assert.deepEqual(told(END), ['forgotten likely 12']);
  assert.deepEqual(toldInside(END, { objects }), ['not-reading proven 12']);
});

test('idle connections of a pool are a stale pool, however many there are', () => {
  const scene: Scene = { stuck: outbound(12, { recvQueue: 1 }) };
  const objects = scene.stuck.map((it, i) => objectFor(i, it, { pool: { name: 'http.globalAgent', idle: true } }));
  assert.deepEqual(toldInside(scene, { objects }), ['stale-pool proven 12']);
  assert.match(factsInside(scene, { objects }), /12 of 12 lie idle in http\.globalAgent/);
});

test('ends that were read while it was watched prove a missing close from three on', () => {
  const read = (count: number, agoMs = 2000): Partial<Inside> => ({
    watchedMs: 5000,
    endReads: READ.stuck.slice(0, count).map(({ peer }) => ({ peer, frames: [frame('App.serve App.java:42')], agoMs })),
  });
  assert.deepEqual(toldInside(READ, read(2)), ['missing-close likely 12']);
  assert.deepEqual(toldInside(READ, read(3)), ['missing-close proven 12']);
  assert.deepEqual(toldInside(READ, read(3, 100)), ['missing-close likely 12'], 'it may be about to close them');
  const [finding] = findingsWith(inside(read(3)), snapshotOf(READ));
  assert.equal(finding?.code?.[0]?.role, 'read-end');
  assert.equal(finding.code[0].frame?.line, 42);
  assert.equal(finding.code[0].sockets, 3);
});

test('that no object is left is said only when all objects were seen, and not for want of having looked', () => {
  const seen = { objects: [], objectsComplete: true };
  assert.match(factsInside(END, seen), /no object of the program stands for 12 of 12/);
  assert.deepEqual(toldInside(END, seen), ['forgotten likely 12']);
  assert.doesNotMatch(factsInside(END, { objects: [] }), /no object/);
});

test('a deadlock makes a stall sure, and is told beside another cause without taking its place', () => {
  const unread: Scene = { stuck: inbound(12, { recvQueue: 263 }), threads: [LOCKED, LOCKED], events: EPOLLIN };
  const deadlocks = [{ strands: ['worker-1', 'worker-2'] }];
  assert.match(told(unread)[0] ?? '', /^stalled/);
  assert.deepEqual(toldInside(unread, { deadlocks }), ['stalled proven 12']);
  assert.deepEqual(toldInside(READ, { deadlocks }), ['missing-close likely 12']);
  assert.match(factsInside(READ, { deadlocks }), /worker-1, worker-2 wait for each other's locks/);
});

test('objects say nothing against one that still sends', () => {
  const sending: Scene = { stuck: inbound(12, { lastDataSentMs: 1, lastAckReceivedMs: 1, bytesAcked: 5000 }) };
  const objects = sending.stuck.map((it, i) => objectFor(i, it, { endDelivered: true }));
  assert.deepEqual(toldInside(sending, { objects }), told(sending));
});

test('what nobody has begun to read is forgotten, as surely as it seemed from outside', () => {
  const objects = END.stuck.map((it, i) => objectFor(i, it, { neverRead: true, paused: true }));
  assert.deepEqual(toldInside(END, { objects }), ['forgotten proven 12']);
});

const GO: Scene = { stuck: inbound(21), events: EPOLLET | EPOLLIN, holder: { runtime: 'go' } };

test('as many goroutines in one place as there are sockets are their handlers, and have not returned', () => {
  const strands = [
    strand(['run runtime.gopark', 'main.handle /app/main.go:42'], {
      kind: 'goroutine',
      count: 21,
      state: 'chan receive',
    }),
    strand(['main.main /app/main.go:10'], { kind: 'goroutine', state: 'IO wait' }),
  ];
  assert.deepEqual(toldInside(GO, { strands }), ['stalled likely 21']);
  const [finding] = findingsWith(inside({ strands }), snapshotOf(GO));
  assert.deepEqual(finding?.code?.[0]?.frame?.function, 'main.handle');
});

test('without goroutines in their place, handlers have returned and left the connections', () => {
  const strands = [strand(['main.main /app/main.go:10'], { kind: 'goroutine', state: 'IO wait' })];
  assert.deepEqual(toldInside(GO, { strands }), ['missing-close likely 21']);
});

test('requests that lie unread may be for handlers that are still to come, so nothing is concluded from their absence', () => {
  const queued: Scene = {
    stuck: inbound(21, { recvQueue: 263 }),
    events: EPOLLET | EPOLLIN,
    holder: { runtime: 'go' },
  };
  const strands = [strand(['main.ask /app/main.go:10'], { kind: 'goroutine', count: 4, state: 'IO wait' })];
  assert.deepEqual(toldInside(queued, { strands }), told(queued));
});

test('an event loop that was found computing proves the stall, with its line', () => {
  const scene: Scene = { stuck: inbound(12, { recvQueue: 263 }), threads: [thread()], events: EPOLLIN };
  const strands = [strand(['render app.js:7', 'run emit node:events:1'], { state: 'event loop blocked' })];
  assert.match(toldInside(scene, { strands })[0] ?? '', /^stalled/);
  assert.match(factsInside(scene, { strands }), /the event loop runs render \(app\.js:7\)/);
  const [finding] = findingsWith(inside({ strands }), snapshotOf(scene));
  assert.equal(finding?.code?.[0]?.role, 'runs');
});

test('threads that rest in their pools take back a stall that was only likely', () => {
  const scene: Scene = { stuck: inbound(12, { recvQueue: 263 }), threads: [LOCKED, LOCKED], events: 'unread' };
  assert.match(told(scene)[0] ?? '', /^stalled likely/);
  const resting = [
    strand(['run java.util.concurrent.ThreadPoolExecutor.getTask']),
    strand(['run _worker concurrent/futures/thread.py:81']),
  ];
  assert.deepEqual(toldInside(scene, { strands: resting }), ['unknown undecided 12']);
  const working = [...resting, strand(['run recv', 'Cache.get app/cache.py:31'])];
  assert.match(toldInside(scene, { strands: working })[0] ?? '', /^stalled/);
  assert.match(
    factsInside(scene, { strands: working }),
    /the only thread with a stack is in Cache\.get \(app\/cache\.py:31\)/,
  );
});

test('a process that was not looked into is judged as before', () => {
  const [before] = findingsWith(inside({ deadlocks: [{ strands: ['a'] }] }), snapshotOf(READ), 999);
  assert.equal(`${before?.cause} ${before?.confidence}`, told(READ)[0]?.replace(/ 12$/, ''));
  assert.equal(before?.code, undefined);
});

test('ends that threads read which may still work on the answer make a missing close no surer', () => {
  const unanswered: Scene = { stuck: inbound(12, { bytesAcked: 1, bytesReceived: 80 }) };
  const read = (strandOf: (i: number) => string): Partial<Inside> => ({
    watchedMs: 5000,
    endReads: unanswered.stuck.map(({ peer }, i) => ({
      ...{ peer, frames: [frame('App.serve App.java:42')], agoMs: 2000 + i, strand: strandOf(i) },
    })),
  });
  assert.deepEqual(
    toldInside(
      unanswered,
      read((i) => `worker-${i}`),
    ),
    ['missing-close likely 12'],
  );
  assert.deepEqual(
    toldInside(
      unanswered,
      read(() => 'selector'),
    ),
    ['missing-close proven 12'],
    'one thread has read the end of the next',
  );
});
