import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ageAtLeast } from '../../src/diagnose/ages.ts';
import { correlate } from '../../src/diagnose/correlate.ts';
import { ListenerIndex, matchListener } from '../../src/diagnose/listeners.ts';
import type { Case } from '../../src/model/finding.ts';
import {
  aged,
  endpoint,
  holding,
  listener,
  process,
  snapshot,
  socket,
  sockets,
  times,
  unaccepted,
} from '../helpers/model.ts';

const LIMIT = 60_000;

test('a port that comes again speaks against inbound connections, wherever it stands', () => {
  const at = (i: number): string => `10.0.0.5:${i < 1200 ? 20_000 + i : 443}`;
  const all = times(1500, (i) => socket({ inode: 1000 + i, peer: endpoint(at(i)) }));
  const held = [process({ sockets: holding(...all) })];
  assert.equal(onlyCase({ sockets: all, processes: held, listeners: [] }).direction, 'outbound');
  const others = all.slice(0, 1200);
  assert.equal(onlyCase({ sockets: others, processes: held, listeners: [] }).direction, 'inbound');
});

test('the sockets of a case come by age, the oldest first, and equal ones in the order of their descriptors', () => {
  const age = fc.oneof(fc.nat(3), fc.nat(5000), fc.nat(2 ** 31));
  fc.assert(
    fc.property(fc.array(age, { minLength: 1, maxLength: 60 }), (ages) => {
      const all = ages.map((milliseconds, i) => socket({ inode: 1000 + i, ...aged(milliseconds) }));
      const [first] = casesOf({ sockets: all, processes: [process({ sockets: holding(...all) })] });
      const expected = all.toSorted((a, b) => ageAtLeast(b) - ageAtLeast(a));
      assert.deepEqual(
        first?.sockets.map(({ inode }) => inode),
        expected.map(({ inode }) => inode),
      );
    }),
  );
});
const casesOf = (fields: Parameters<typeof snapshot>[0]): Case[] => correlate(snapshot(fields), LIMIT);

function onlyCase(fields: Parameters<typeof snapshot>[0]): Case {
  const [first, ...more] = casesOf(fields);
  assert.equal(more.length, 0);
  assert.ok(first);
  return first;
}

for (const [what, it, candidates, expected] of [
  ['the address itself', socket(), [listener({ local: endpoint('10.0.0.1:8000') })], 0],
  ['a wildcard', socket(), [listener()], 0],
  [
    'the address before a wildcard',
    socket(),
    [listener({ queue: 9 }), listener({ local: endpoint('10.0.0.1:8000') })],
    1,
  ],
  ['no listener of another address', socket(), [listener({ local: endpoint('10.0.0.2:8000') })], -1],
  ['no listener of another port', socket(), [listener({ local: endpoint('0.0.0.0:80') })], -1],
  ['no listener of another namespace', socket(), [listener({ netns: 1 })], -1],
  ['no listener of the other family', socket(), [listener({ family: 6, local: endpoint('[::]:8000') })], -1],
  [
    'an IPv6 wildcard',
    socket({ family: 6, local: endpoint('[2001:db8::1]:8000') }),
    [listener({ family: 6, local: endpoint('[::]:8000') })],
    0,
  ],
  [
    'the dual-stack listener of a mapped address',
    socket({ family: 6 }),
    [listener(), listener({ family: 6, local: endpoint('[::]:8000') })],
    1,
  ],
  [
    'of several with SO_REUSEPORT the one whose queue is longest',
    socket(),
    [listener({ queue: 1 }), listener({ queue: 7 }), listener({ queue: 3 })],
    1,
  ],
] as const) {
  test(`a connection came in by ${what}`, () => {
    const all = [...candidates];
    assert.equal(all.indexOf(matchListener(it, all) as never), expected);
    assert.equal(new ListenerIndex(all).of(it), all[expected]);
  });
}

test('the sockets of a holder are one case, the oldest first', () => {
  const all = [socket(aged(70_000)), socket({ inode: 1001, ...aged(90_000) }), socket({ inode: 1002, ...aged(1000) })];
  const holder = process({ sockets: holding(...all) });
  const found = onlyCase({ sockets: all, processes: [holder], listeners: [listener()] });
  assert.deepEqual(
    found.sockets.map(({ inode }) => inode),
    [1001, 1000, 1002],
  );
  assert.deepEqual(
    [found.kind, found.process, found.stuck, found.maybeStuck, found.direction],
    ['held', holder, 2, 0, 'inbound'],
  );
  assert.deepEqual(found.listener, listener());
});

test('sockets of the same age keep their order', () => {
  const all = sockets(500);
  assert.deepEqual([...onlyCase({ sockets: all, processes: [process({ sockets: holding(...all) })] }).sockets], all);
});

test('sockets of unknown age come last, and may be stuck', () => {
  const { lastAckReceivedMs: _a, lastDataReceivedMs: _d, ...unknown } = socket({ inode: 1 });
  const found = onlyCase({ sockets: [unknown, socket({ inode: 2, ...aged(1) })] });
  assert.deepEqual(
    found.sockets.map(({ inode }) => inode),
    [2, 1],
  );
  assert.equal(found.maybeStuck, 1);
});

test('only sockets in CLOSE_WAIT make a case', () => {
  assert.deepEqual(casesOf({ sockets: sockets(3, { state: 'ESTABLISHED' }) }), []);
});

test('of several holders the one that listens there is named, and the others beside it', () => {
  const all = sockets(3);
  const child = process({ pid: 10, name: 'child', startedAt: 1, sockets: holding(...all) });
  const server = process({ pid: 20, name: 'server', startedAt: 2, sockets: holding(...all, listener()) });
  const found = onlyCase({ sockets: all, processes: [child, server], listeners: [listener()] });
  assert.equal(found.process, server);
  assert.deepEqual(found.coHolders, [{ process: child, sockets: 3 }]);
});

test('of several holders of which none or all listen, the one that is there longest is named', () => {
  const all = sockets(1);
  const young = process({ pid: 10, startedAt: 2000, sockets: holding(...all) });
  const old = process({ pid: 20, startedAt: 1000, sockets: holding(...all) });
  assert.equal(onlyCase({ sockets: all, processes: [young, old] }).process, old);
  const same = process({ pid: 5, startedAt: 1000, sockets: holding(...all) });
  assert.equal(onlyCase({ sockets: all, processes: [old, same] }).process, same);
});

test('co-holders are counted by the sockets they share, the most first', () => {
  const all = sockets(3);
  const parent = process({ pid: 1, startedAt: 1, sockets: holding(...all) });
  const one = process({ pid: 2, startedAt: 2, sockets: holding(all[0] ?? {}) });
  const two = process({ pid: 3, startedAt: 3, sockets: holding(all[0] ?? {}, all[1] ?? {}) });
  const found = onlyCase({ sockets: all, processes: [parent, one, two] });
  assert.deepEqual(
    found.coHolders.map((it) => [it.process.pid, it.sockets]),
    [
      [3, 2],
      [2, 1],
    ],
  );
});

test('two holders make two cases, and each connection counts for its own', () => {
  const [first, second] = [sockets(2), sockets(3, {}, 2000)];
  const cases = casesOf({
    sockets: [...first, ...second, socket({ inode: 3000, state: 'ESTABLISHED' })],
    processes: [
      process({ pid: 1, sockets: holding(...first) }),
      process({ pid: 2, sockets: holding(...second, { inode: 3000 }) }),
    ],
  });
  assert.deepEqual(
    cases.map((it) => [it.process?.pid, it.sockets.length, it.connections]),
    [
      [1, 2, 2],
      [2, 3, 4],
    ],
  );
});

test('connections are not told when other states were not counted', () => {
  const all = sockets(2);
  const found = onlyCase({
    sockets: all,
    processes: [process({ sockets: holding(...all) })],
    byState: { CLOSE_WAIT: 2 },
  });
  assert.equal('connections' in found, false);
});

test('sockets that nobody has accepted are the backlog of their listener, with the process that listens', () => {
  const holder = process({ sockets: holding(listener()) });
  const waiting = [unaccepted(), unaccepted()];
  const found = onlyCase({ sockets: waiting, processes: [holder], listeners: [listener()] });
  assert.deepEqual(
    [found.kind, found.process, found.listener, found.direction],
    ['backlog', holder, listener(), 'inbound'],
  );
});

test('the backlogs of two listeners are two cases', () => {
  const waiting = [unaccepted(), unaccepted({ local: endpoint('10.0.0.1:9000') })];
  const listeners = [listener(), listener({ local: endpoint('0.0.0.0:9000'), inode: 901 })];
  assert.deepEqual(
    casesOf({ sockets: waiting, listeners }).map(({ kind }) => kind),
    ['backlog', 'backlog'],
  );
});

test('sockets without a known holder are told by namespace, user and port', () => {
  const all = [socket(), socket({ inode: 2 }), socket({ inode: 3, uid: 34 }), socket({ inode: 4, netns: 9 })];
  const cases = casesOf({ sockets: all });
  assert.deepEqual(
    cases.map((it) => [it.kind, it.uid, it.sockets.length]),
    [
      ['unowned', 33, 2],
      ['unowned', 34, 1],
      ['unowned', 33, 1],
    ],
  );
});

test('connections to a port on which nobody listens any more are inbound when they are many', () => {
  assert.equal(onlyCase({ sockets: sockets(3) }).direction, 'inbound');
  assert.equal(onlyCase({ sockets: sockets(2) }).direction, 'outbound');
});

test('some inbound and some outbound connections are mixed, and have no single listener', () => {
  const all = [socket(), socket({ inode: 2, local: endpoint('10.0.0.1:50000'), peer: endpoint('10.0.0.9:443') })];
  const found = onlyCase({ sockets: all, processes: [process({ sockets: holding(...all) })], listeners: [listener()] });
  assert.deepEqual([found.direction, 'listener' in found], ['mixed', false]);
});

test('inbound peers are grouped by address, outbound ones by address and port with the service', () => {
  const inbound = sockets(3);
  const outbound = times(5, (i) =>
    socket({
      inode: 2000 + i,
      local: endpoint(`10.0.0.1:${50_000 + i}`),
      peer: endpoint(`10.0.0.9:${i < 4 ? 5432 : 443}`),
    }),
  );
  const all = [...inbound, ...outbound];
  const services = new Map([
    [5432, 'postgresql'],
    [443, 'https'],
    [40_000, 'never'],
  ]);
  const found = onlyCase({
    sockets: all,
    processes: [process({ sockets: holding(...all) })],
    listeners: [listener()],
    services,
  });
  assert.deepEqual(found.peers, [
    { address: '10.0.0.9', port: 5432, service: 'postgresql', sockets: 4 },
    { address: '10.0.0.5', sockets: 3 },
    { address: '10.0.0.9', port: 443, service: 'https', sockets: 1 },
  ]);
});

test('the peer is a process of this machine when its end is held here', () => {
  const near = socket({ local: endpoint('10.0.0.1:50000'), peer: endpoint('10.0.0.2:443') });
  const far = socket({ inode: 2, state: 'FIN_WAIT2', local: near.peer, peer: near.local, netns: 5 });
  const found = onlyCase({
    sockets: [near, far],
    processes: [process({ sockets: holding(near) }), process({ pid: 9, name: 'proxy', sockets: holding(far) })],
  });
  assert.deepEqual(found.peers[0]?.process, { pid: 9, name: 'proxy' });
});

test('when the other end is gone, the peer is who listens there on loopback', () => {
  const near = socket({ local: endpoint('127.0.0.1:50000'), peer: endpoint('127.0.0.1:6379') });
  const redis = listener({ local: endpoint('127.0.0.1:6379'), inode: 77 });
  const processes = [process({ sockets: holding(near) }), process({ pid: 9, name: 'redis', sockets: holding(redis) })];
  assert.deepEqual(onlyCase({ sockets: [near], listeners: [redis], processes }).peers[0]?.process, {
    pid: 9,
    name: 'redis',
  });
  const remote = { ...near, peer: endpoint('10.9.9.9:6379') };
  assert.equal(onlyCase({ sockets: [remote], listeners: [redis], processes }).peers[0]?.process, undefined);
});

test('descriptors of closed sockets are one case for each process', () => {
  const closed = (pid: number, fd: number) => ({ pid, fd, inode: 7000 + fd });
  const cases = casesOf({
    closedButHeld: [closed(1, 5), closed(1, 6), closed(2, 5)],
    processes: [process({ pid: 1 }), process({ pid: 2 })],
  });
  assert.deepEqual(
    cases.map((it) => [it.kind, it.process?.pid, it.closedFds]),
    [
      ['closed', 1, 2],
      ['closed', 2, 1],
    ],
  );
});

test('20,000 sockets of one holder are sorted into their case in less than a second', () => {
  const all = times(20_000, (i) =>
    socket({ inode: i + 1, peer: endpoint(`10.${i >> 8}.${i & 0xff}.1:${i}`), ...aged((i * 7919) % 100_000) }),
  );
  const begun = performance.now();
  const found = onlyCase({ sockets: all, processes: [process({ sockets: holding(...all) })], listeners: [listener()] });
  assert.equal(found.peers.length, 20_000);
  assert.ok(performance.now() - begun < 1000);
});
