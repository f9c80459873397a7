import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aged, endpoint, socket, times } from '../helpers/model.ts';
import {
  ACCEPTOR,
  EPOLLET,
  EPOLLIN,
  EPOLLOUT,
  facts,
  inbound,
  LOCKED,
  LOOP,
  outbound,
  type Scene,
  thread,
  told,
} from '../helpers/scene.ts';

const END = { recvQueue: 1 };
const UNREAD = { recvQueue: 263 };

// missing-close

test('missing-close: everything is read, no loop knows the sockets, and the program is free', () => {
  const scene = { stuck: inbound(12) };
  assert.deepEqual(told(scene), ['missing-close likely 12']);
  assert.match(facts(scene), /the only thread of gunicorn waits for events: the program is free/);
});

test('missing-close: a thread that accepts is as free, and more sockets than threads are in no hands', () => {
  assert.deepEqual(told({ stuck: inbound(2), threads: [ACCEPTOR, LOCKED, LOCKED] }), ['missing-close likely 2']);
  assert.deepEqual(told({ stuck: inbound(12), threads: [LOCKED, LOCKED] }), ['missing-close likely 12']);
});

test('missing-close: never where threads may still be at work on them, or nothing is known of the threads', () => {
  assert.deepEqual(told({ stuck: inbound(2), threads: [LOCKED, LOCKED] }), ['unknown undecided 2']);
  assert.deepEqual(told({ stuck: inbound(12), threads: [] }), ['unknown undecided 12']);
});

test('missing-close: other connections of the same port in use show that the program works, without its threads', () => {
  const others = [socket({ inode: 3000, state: 'ESTABLISHED', peer: endpoint('10.0.0.9:1'), lastDataSentMs: 900 })];
  assert.deepEqual(told({ stuck: inbound(3), others, threads: [] }), ['missing-close likely 3']);
  const elsewhere = others.map((it) => ({ ...it, local: endpoint('10.0.0.1:55000'), peer: endpoint('10.0.0.9:80') }));
  assert.deepEqual(told({ stuck: inbound(3), others: elsewhere, threads: [] }), ['unknown undecided 3']);
});

test('missing-close: where a runtime reads for its handlers, only what was answered is out of their hands', () => {
  const EDGE = EPOLLIN | EPOLLET;
  const answered = inbound(12).map((it) => ({ ...it, lastDataSentMs: (it.lastDataReceivedMs ?? 0) - 20 }));
  assert.deepEqual(told({ stuck: answered, events: EDGE }), ['missing-close likely 12']);
  const inOneTick = answered.map((it) => ({ ...it, lastDataSentMs: it.lastDataReceivedMs ?? 0 }));
  for (const stuck of [inbound(12), inOneTick])
    assert.deepEqual(told({ stuck, events: EDGE }), ['unknown undecided 12']);
});

// forgotten

test('forgotten: the end is unread, no loop knows the sockets, and the program is free', () => {
  assert.deepEqual(told({ stuck: inbound(12, END) }), ['forgotten likely 12']);
  assert.match(facts({ stuck: inbound(12, END) }), /12 sockets in no epoll set, and no thread waits for one of them/);
});

test('forgotten: undecided when nobody knows what loops watch, or not all could be looked at', () => {
  assert.deepEqual(told({ stuck: inbound(12, END), events: 'unread' }), ['unknown undecided 12']);
  const epoll = { sets: [], complete: false };
  assert.deepEqual(told({ stuck: inbound(12, END), holder: { epoll } }), ['unknown undecided 12']);
});

test('forgotten: what the kernel says of a socket itself stands in for the sets that were not read', () => {
  const dropped = inbound(12, { ...END, inEpoll: false, awaited: false });
  assert.deepEqual(told({ stuck: dropped, events: 'unread' }), ['forgotten likely 12']);
  for (const known of [
    { inEpoll: true, awaited: true },
    { inEpoll: false, awaited: true },
  ]) {
    assert.deepEqual(told({ stuck: inbound(12, { ...END, ...known }), events: 'unread' }), ['unknown undecided 12']);
  }
});

test('forgotten: responses of a server that come and are not read', () => {
  for (const events of [undefined, EPOLLIN | EPOLLET]) {
    const scene: Scene = { stuck: outbound(30, { recvQueue: 56_000 }), ...(events !== undefined && { events }) };
    assert.deepEqual(told(scene), ['forgotten likely 30']);
  }
});

test('forgotten: a few idle outbound connections may be those of a pool', () => {
  assert.deepEqual(told({ stuck: outbound(3, END) }), ['unknown undecided 3']);
  assert.deepEqual(told({ stuck: outbound(30, END) }), ['forgotten likely 30']);
});

// not-reading

test('not-reading: an epoll set asks for writing only, which proves it while something is unread', () => {
  assert.deepEqual(told({ stuck: inbound(5, END), events: EPOLLOUT }), ['not-reading proven 5']);
  assert.deepEqual(told({ stuck: inbound(5), events: EPOLLOUT }), ['not-reading likely 5']);
  assert.match(facts({ stuck: inbound(5, END), events: EPOLLOUT }), /5 sockets in an epoll set without EPOLLIN/);
});

test('not-reading: data lies unread in a socket that a free event loop was told to leave', () => {
  assert.deepEqual(told({ stuck: inbound(5, UNREAD) }), ['not-reading likely 5']);
});

test('not-reading: what the program writes gets nowhere', () => {
  const clogged = { recvQueue: 1, sendQueue: 80_000, timer: 'zero-window-probe' as const };
  assert.deepEqual(told({ stuck: inbound(5, clogged), events: EPOLLIN | EPOLLET }), ['not-reading likely 5']);
});

test('not-reading: an event told once and not yet taken up again is no sign of it', () => {
  const ONESHOT = 0x40000000;
  assert.deepEqual(told({ stuck: inbound(5, UNREAD), events: ONESHOT | 0x18 }), ['unknown undecided 5']);
});

// half-close

const STREAMING = { lastDataSentMs: 800, lastAckReceivedMs: 790, lastDataReceivedMs: 600_000 };

test('half-close: data goes out and is acknowledged, long after anything came', () => {
  const scene = { stuck: inbound(5, STREAMING) };
  assert.deepEqual(told(scene), ['half-close likely 5']);
  assert.match(facts(scene), /data sent on 5 sockets in the last 1\.0 s, and acknowledged/);
});

test('half-close: not when it is not acknowledged, was long ago, or answers what just came', () => {
  for (const other of [
    { ...STREAMING, lastAckReceivedMs: 600_000 },
    { ...STREAMING, lastDataSentMs: 90_000, lastAckReceivedMs: 89_000 },
    { ...STREAMING, lastDataReceivedMs: 2000 },
  ]) {
    assert.ok(!told({ stuck: inbound(5, other) }).some((it) => it.startsWith('half-close')));
  }
});

// proxy-leg

/** Client legs, and for each a server leg on which went out what came in. */
function relay(count: number, state: 'ESTABLISHED' | 'FIN_WAIT2'): Scene {
  const stuck = times(count, (i) =>
    socket({
      inode: 1000 + i,
      peer: endpoint(`10.0.0.5:${40_000 + i}`),
      lastDataReceivedMs: 600_000 + i * 5000,
      lastDataSentMs: 599_000 + i * 5000,
      lastAckReceivedMs: 500_000 + i * 5000,
    }),
  );
  const others = stuck.map(({ lastDataReceivedMs = 0, lastDataSentMs = 0 }, i) =>
    socket({
      inode: 2000 + i,
      state,
      local: endpoint(`10.0.0.1:${50_000 + i}`),
      peer: endpoint('10.0.4.7:5432'),
      lastDataSentMs: lastDataReceivedMs - 3,
      lastDataReceivedMs: lastDataSentMs + 2,
    }),
  );
  return { stuck, others };
}

test('proxy-leg: each has a leg on which went out what came in; proven when the end was passed on', () => {
  assert.deepEqual(told(relay(6, 'ESTABLISHED')), ['proxy-leg likely 6']);
  assert.deepEqual(told(relay(6, 'FIN_WAIT2')), ['proxy-leg proven 6']);
  assert.match(
    facts(relay(6, 'FIN_WAIT2')),
    /6 second legs are in FIN_WAIT2: .*10\.0\.4\.7:5432 has not closed: look there/,
  );
});

test('proxy-leg: a few equal times are chance, unless the end was passed on', () => {
  assert.deepEqual(told(relay(3, 'ESTABLISHED')), ['missing-close likely 3']);
  assert.deepEqual(told(relay(1, 'FIN_WAIT2')), ['proxy-leg likely 1']);
});

test('proxy-leg: connections of a pool that serve all requests are no legs', () => {
  const { stuck, others = [] } = relay(20, 'ESTABLISHED');
  assert.deepEqual(told({ stuck, others: others.slice(0, 5) }), ['missing-close likely 20']);
});

// stale-pool

const inUse = [
  socket({
    inode: 3000,
    state: 'ESTABLISHED',
    local: endpoint('10.0.0.1:51000'),
    peer: endpoint('10.0.4.7:443'),
    lastDataReceivedMs: 400,
    lastDataSentMs: 410,
  }),
];

test('stale-pool: idle connections that the server closed, while others to it are in use', () => {
  for (const recvQueue of [1, 25, 32, 54]) {
    assert.deepEqual(told({ stuck: outbound(5, { recvQueue }), others: inUse }), ['stale-pool likely 5']);
  }
  assert.match(
    facts({ stuck: outbound(5, { recvQueue: 25 }), others: inUse }),
    /with a TLS goodbye and the end unread/,
  );
});

test('stale-pool: harmless, and that is said', () => {
  const scene = {
    stuck: outbound(20, { ...END, lastAckReceivedMs: 7200_000, lastDataReceivedMs: 7200_000 }),
    others: inUse,
  };
  assert.deepEqual(told(scene), ['stale-pool likely 20']);
});

test('stale-pool: the server closed all at one moment, as at its restart', () => {
  const restart = { recvQueue: 1, lastAckReceivedMs: 600_000, lastDataReceivedMs: 600_000 };
  assert.deepEqual(told({ stuck: outbound(20, restart) }), ['stale-pool likely 20']);
});

test('stale-pool: not what grows, not what a loop watches, not what came in, and not a goodbye that may be a response', () => {
  const growing = outbound(30, END).map((it) => ({ ...it, ...aged((it.lastAckReceivedMs ?? 0) - 530_000) }));
  assert.deepEqual(told({ stuck: growing, others: inUse }), ['forgotten likely 30']);
  const [watched] = told({ stuck: outbound(5, END), others: inUse, events: EPOLLIN, threads: [LOCKED] });
  assert.match(watched ?? '', /^stalled/);
  assert.deepEqual(told({ stuck: inbound(5, END) }), ['forgotten likely 5']);
  assert.ok(!told({ stuck: outbound(5, { recvQueue: 150 }), others: inUse }).some((it) => it.startsWith('stale-pool')));
});

// Telling mixed causes apart

test('a leak of requests and a stale pool of the same process are two findings', () => {
  const scene = { stuck: [...inbound(40), ...outbound(5, END)], others: inUse };
  assert.deepEqual(told(scene).sort(), ['missing-close likely 40', 'stale-pool likely 5']);
});

test('half-closed and leaked connections at one port are two findings', () => {
  const streaming = inbound(15, STREAMING).map((it, i) => ({ ...it, inode: 1300 + i }));
  assert.deepEqual(told({ stuck: [...inbound(40), ...streaming] }).sort(), [
    'half-close likely 15',
    'missing-close likely 40',
  ]);
});

test('one leak in which a few sockets look different is one finding', () => {
  const few = inbound(3, END).map((it, i) => ({ ...it, inode: 1300 + i }));
  assert.deepEqual(told({ stuck: [...inbound(40), ...few] }), ['missing-close likely 43']);
});

test('a few leaked ones are not hidden among many harmless ones', () => {
  const streaming = inbound(60, STREAMING);
  const leaked = inbound(4).map((it, i) => ({ ...it, inode: 1300 + i }));
  assert.deepEqual(told({ stuck: [...streaming, ...leaked] }).sort(), [
    'half-close likely 60',
    'missing-close likely 4',
  ]);
});

test('one leak to many servers is one finding', () => {
  const many = outbound(40).map((it, i) => ({ ...it, peer: endpoint(`10.0.4.${i % 10}:443`) }));
  assert.deepEqual(told({ stuck: many }), ['missing-close likely 40']);
});

test('young sockets stay with the stuck ones of their port', () => {
  const young = inbound(6, { lastAckReceivedMs: 50, lastDataReceivedMs: 50 }).map((it, i) => ({
    ...it,
    inode: 1300 + i,
  }));
  assert.deepEqual(told({ stuck: [...inbound(40), ...young] }), ['missing-close likely 46']);
  const youngOutbound = outbound(6, { lastAckReceivedMs: 50, lastDataReceivedMs: 50 });
  assert.deepEqual(told({ stuck: [...inbound(40), ...youngOutbound] }), ['missing-close likely 40', 'churn likely 6']);
});

test('every socket is in exactly one finding', () => {
  const stuck = [
    ...inbound(30),
    ...outbound(20, END),
    ...inbound(10, UNREAD).map((it, i) => ({ ...it, inode: 1300 + i })),
  ];
  for (const threads of [[LOOP], [LOCKED], [ACCEPTOR, LOCKED], [thread()], []]) {
    const total = told({ stuck, threads }).reduce((sum, it) => sum + Number(it.split(' ').at(-1)), 0);
    assert.equal(total, 60);
  }
});

test('nothing is proven by how sockets stand that have not stood so for half a minute', () => {
  const fresh = (fields: object, scene: Partial<Scene>): string[] =>
    told({
      stuck: inbound(5, {
        ...aged(10_000),
        ...fields,
        timer: 'keepalive',
        lastDataReceivedMs: 300_000,
        lastDataSentMs: 300_000,
      }),
      ...scene,
    });
  assert.deepEqual(fresh(END, { events: EPOLLOUT }), ['not-reading likely 5']);
  assert.deepEqual(fresh(END, { events: EPOLLIN, threads: [LOCKED] }), ['stalled likely 5']);
});
