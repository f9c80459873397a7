import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diagnose } from '../../../src/diagnose/diagnose.ts';
import type { CodePlace } from '../../../src/model/finding.ts';
import type { Inside } from '../../../src/model/inside.ts';
import { findingsWith, frame, inside, objectFor, strand } from '../../helpers/inside.ts';
import { endpoint, holding, listener, process, snapshot, times, unaccepted } from '../../helpers/model.ts';
import { EPOLLIN, inbound, LOCKED, type Scene, snapshotOf } from '../../helpers/scene.ts';

const codeIn = (scene: Scene, seen: Partial<Inside>): CodePlace[] =>
  findingsWith(inside(seen), snapshotOf(scene)).flatMap(({ code = [] }) => code);

const READ: Scene = { stuck: inbound(12) };
const UNREAD: Scene = { stuck: inbound(12, { recvQueue: 263 }), threads: [LOCKED, LOCKED], events: EPOLLIN };

test("the program's handler of the end is told before others, and none of a library", () => {
  const objects = READ.stuck.map((it, i) =>
    objectFor(i, it, {
      endDelivered: true,
      handlers: [
        { event: 'data', place: frame('onData app.js:3') },
        { event: 'end', place: frame('run onReadableStreamEnd node:net:7') },
        { event: 'end', place: frame('onEnd app.js:9') },
      ],
    }),
  );
  const [place, ...more] = codeIn(READ, { objects });
  assert.deepEqual(
    { role: place?.role, line: place?.frame?.line, what: place?.what, sockets: place?.sockets },
    { role: 'handler', line: 9, what: 'end', sockets: 12 },
  );
  assert.equal(more.length, 0);
});

test('of a stall, threads are told by the line that they are in, with who called it', () => {
  const waiting = ['run recv', 'Cache.get cache.py:31', 'handle app.py:12', 'run Thread.run'];
  const strands = [
    strand(waiting),
    strand(waiting),
    strand(['run select', 'main app.py:80']),
    strand([], { ofRuntime: true }),
  ];
  const [most, other] = codeIn(UNREAD, { strands });
  assert.deepEqual([most?.role, most?.frame?.function, most?.strands, most?.of], ['waits', 'Cache.get', 2, 3]);
  assert.deepEqual(
    most?.callers.map(({ function: name }) => name),
    ['handle'],
  );
  assert.equal(other?.frame?.function, 'main');
});

test('of a missing close, threads that have nothing to do with it are not told', () => {
  assert.deepEqual(codeIn(READ, { strands: [strand(['run select', 'main app.py:80'])] }), []);
});

test('each thread of a deadlock is told with the lock it waits for', () => {
  const strands = [
    strand(['A.x A.java:1'], { name: 'one', waitsFor: { lock: '<1>', owner: 'two' } }),
    strand(['B.y B.java:2'], { name: 'two', waitsFor: { lock: '<2>', owner: 'one' } }),
    strand(['C.z C.java:3'], { name: 'three', waitsFor: { lock: '<2>', owner: 'one' } }),
  ];
  const places = codeIn(UNREAD, { strands, deadlocks: [{ strands: ['one', 'two'] }] });
  assert.deepEqual(
    places.map(({ role, what }) => `${role} ${what}`),
    [
      'deadlock one, for a lock that two has',
      'deadlock two, for a lock that one has',
      'waits waits for <2>, which one has',
    ],
  );
});

test('what still refers to the sockets, and where they were made, is told with their number', () => {
  const objects = READ.stuck.map((it, i) =>
    objectFor(i, it, {
      type: 'socket.socket',
      referredBy: ['dict Server.sessions'],
      created: [frame('accept app.py:20')],
    }),
  );
  const places = codeIn(READ, { objects });
  assert.deepEqual(
    places.map(({ role, sockets, what }) => [role, sockets, what]),
    [
      ['made', 12, undefined],
      ['refers', 12, 'dict Server.sessions'],
    ],
  );
});

test('of an accept queue, the workers that could accept are told with the line that keeps them', () => {
  const queue = listener({ inode: 900, queue: 129 });
  const worker = (pid: number) => process({ pid, parent: 812, sockets: holding(queue) });
  const of = snapshot({
    sockets: times(5, (i) => unaccepted({ peer: endpoint(`10.0.0.5:${40_000 + i}`) })),
    listeners: [queue],
    processes: [process({ sockets: holding(queue) }), worker(813), worker(814)],
  });
  const seen = (pid: number) =>
    [pid, inside({ strands: [strand(['run recv', 'price app.py:7'], { tid: pid })] })] as const;
  const [finding] = diagnose(of, undefined, new Map([[812, inside()], seen(813), seen(814)])).findings;
  assert.equal(finding?.cause, 'accept-backlog');
  assert.deepEqual([finding.code?.[0]?.frame?.function, finding.code?.[0]?.strands], ['price', 2]);
});

test('of a stall, threads that wait for their clients to ask come after those that wait for something else', () => {
  const receiving = (peer: string, local: string, at: string) =>
    strand([`run recv`, at], {
      call: { name: 'recvfrom', kind: 'receive', on: [{ fd: 9, local: endpoint(local), peer: endpoint(peer) }] },
    });
  const strands = [
    ...times(5, (i) => receiving(`10.0.0.5:${50_000 + i}`, '10.0.0.1:8000', 'read_head http.py:7')),
    receiving('10.0.4.7:6379', '10.0.0.1:40000', 'Cache.get cache.py:31'),
  ];
  const [first, second] = codeIn(UNREAD, { strands });
  assert.deepEqual([first?.frame?.function, second?.frame?.function, second?.strands], ['Cache.get', 'read_head', 5]);
  assert.equal(second?.what, 'waits to receive from a client');
  const [step] = findingsWith(inside({ strands }), snapshotOf(UNREAD))[0]?.next ?? [];
  assert.match(step?.why ?? '', /give the call in Cache\.get/);
});
