import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conduct } from '../../src/diagnose/conduct.ts';
import { sleepEvidence } from '../../src/diagnose/sleep.ts';
import type { TcpSocket } from '../../src/model/socket.ts';
import { endpoint, socket, times } from '../helpers/model.ts';
import {
  ACCEPTOR,
  EPOLLET,
  EPOLLIN,
  facts,
  findingsOf,
  inbound,
  LOCKED,
  LOOP,
  outbound,
  type Scene,
  thread,
  told,
} from '../helpers/scene.ts';

const UNREAD = { recvQueue: 263 };
const END = { recvQueue: 1 };

/** Connections to a database: this side spoke last, so long ago. */
const database = (count: number, silentMs: number, fields: Partial<TcpSocket> = {}): TcpSocket[] =>
  times(count, (i) =>
    socket({
      inode: 2000 + i,
      state: 'ESTABLISHED',
      local: endpoint(`10.0.0.1:${50_000 + i}`),
      peer: endpoint('10.0.4.7:5432'),
      lastDataSentMs: silentMs,
      lastDataReceivedMs: silentMs + 5000,
      lastAckReceivedMs: silentMs,
      ...fields,
    }),
  );
/** A second after the request of the youngest of `inbound` came. */
const ASKED = 599_000;
/** Requests that clients gave up after a minute or more, the first of which came an hour ago. */
const givenUp = (count: number): TcpSocket[] =>
  inbound(count).map((it, i) => ({ ...it, lastDataReceivedMs: 3600_000 - i * 300_000, lastDataSentMs: 3700_000 }));
const FIRST_ASKED = 3599_500;
/** Waits to receive from the i-th of the others. */
const asking = (i: number) => thread('receive', 500 + i);

const NO_CONDUCT: Conduct = {
  threads: 1,
  ready: 0,
  watching: 0,
  polling: 0,
  running: 0,
  spinning: 0,
  uninterruptible: 0,
  sleepsIn: [],
  asking: 0,
  blocked: 0,
};

test('stalled: frozen by its cgroup, as by a pause of its container, is as good as stopped', () => {
  const frozen: Scene = { stuck: inbound(5, UNREAD), holder: { frozen: true } };
  assert.deepEqual(told(frozen), ['stalled proven 5']);
  assert.match(facts(frozen), /frozen by its cgroup \(docker pause, or the freezer\)/);
  assert.ok(!told({ ...frozen, holder: { frozen: false } }).some((it) => it.startsWith('stalled')));
});

test('stalled: of a frozen process nothing is asked that it could not answer, and who can thaw it is named', () => {
  const [frozen] = findingsOf({ stuck: inbound(5, UNREAD), holder: { frozen: true, runtime: 'java' } });
  assert.match(frozen?.next[0]?.why ?? '', /^thaw its cgroup/);
  assert.ok(!frozen?.next.some(({ command }) => command?.startsWith('unclosed inspect')));
});

test('stalled: what was read before it was frozen does not come from that', () => {
  assert.ok(!told({ stuck: inbound(5), holder: { frozen: true } }).some((it) => it.startsWith('stalled')));
});

test('stalled: an event loop that would be told of each end at every wait does not wait', () => {
  const loop: Scene = { stuck: inbound(5, END), events: EPOLLIN, threads: [LOCKED] };
  assert.deepEqual(told(loop), ['stalled proven 5']);
  assert.match(facts(loop), /5 sockets are watched for reading by an event loop that does not wait for events/);
});

test('stalled: with nothing unread, or a thread that runs, the loop is not proven to be away', () => {
  assert.deepEqual(told({ stuck: inbound(5), events: EPOLLIN, threads: [LOCKED] }), ['stalled likely 5']);
  assert.deepEqual(told({ stuck: inbound(5, END), events: EPOLLIN, threads: [thread()] }), ['unknown undecided 5']);
});

test('stalled: a thread that computes through the whole second look spins', () => {
  const spinning: Scene = {
    stuck: inbound(5, END),
    events: EPOLLIN,
    threads: [thread(undefined, undefined, { state: 'running', busy: 0.97 })],
  };
  assert.deepEqual(told(spinning), ['stalled likely 5']);
  assert.match(facts(spinning), /1 thread uses a whole processor each|1 thread uses a whole processor/);
});

test('stalled: not when a thread does wait on that set, which cannot be', () => {
  assert.ok(!told({ stuck: inbound(5, END), events: EPOLLIN, threads: [LOOP] }).some((it) => it.startsWith('stalled')));
});

test('stalled: edge-triggered, a loop is told once, so that it waits says nothing', () => {
  const edge: Scene = { stuck: inbound(5, UNREAD), events: EPOLLIN | EPOLLET, threads: [LOOP] };
  assert.deepEqual(told(edge), ['unknown undecided 5']);
});

test('stalled: all threads wait on silent connections: proven of what is unread, likely of what each can have in hand', () => {
  const others = database(2, 45_000);
  const threads = [asking(0), asking(1)];
  assert.deepEqual(told({ stuck: inbound(5, UNREAD), others, threads }), ['stalled proven 5']);
  assert.deepEqual(told({ stuck: inbound(2, END), others, threads }), ['stalled likely 2']);
});

test('stalled: what a program has left behind, or keeps for later, does not come from that it waits now', () => {
  const consumer = database(1, 7200_000);
  assert.deepEqual(told({ stuck: inbound(9), others: consumer, threads: [asking(0)] }), ['missing-close likely 9']);
  assert.deepEqual(told({ stuck: outbound(3, END), others: consumer, threads: [asking(0)] }), ['unknown undecided 3']);
});

test('stalled: requests lie unread, one thread accepts, and all others wait for locks', () => {
  assert.deepEqual(told({ stuck: inbound(40, UNREAD), threads: [ACCEPTOR, LOCKED, LOCKED] }), ['stalled likely 40']);
});

test('stalled: those that stuck threads have in hand belong to it, more than there are threads do not', () => {
  const begun = inbound(3, END).map((it, i) => ({ ...it, inode: 1300 + i }));
  const threads = [ACCEPTOR, LOCKED, LOCKED, LOCKED];
  assert.deepEqual(told({ stuck: [...inbound(20, UNREAD), ...begun], threads }), ['stalled likely 23']);
  const many = inbound(20, { recvQueue: 0 }).map((it, i) => ({ ...it, inode: 1300 + i }));
  assert.deepEqual(told({ stuck: [...inbound(20, UNREAD), ...many], threads }).sort(), [
    'missing-close likely 20',
    'stalled likely 20',
  ]);
});

test('stalled: a thread in poll may be the acceptor, when others have requests in hand', () => {
  const begun = inbound(2, END).map((it, i) => ({ ...it, inode: 1300 + i }));
  const threads = [thread('events'), LOCKED, LOCKED];
  assert.deepEqual(told({ stuck: [...inbound(20, UNREAD), ...begun], threads }), ['stalled likely 22']);
  assert.ok(!told({ stuck: inbound(20, UNREAD), threads }).some((it) => it.startsWith('stalled')));
});

test('stalled: workers wait for an answer, while others accept and watch', () => {
  const scene: Scene = {
    stuck: inbound(40, UNREAD),
    others: database(2, ASKED),
    threads: [ACCEPTOR, LOOP, asking(0), asking(1)],
  };
  assert.deepEqual(told(scene), ['stalled likely 40']);
  assert.match(facts(scene), /2 of 4 threads of gunicorn wait to receive from 10\.0\.4\.7:5432, silent for 9 min 59 s/);
});

test('stalled: a thread that was answered last waits for news, and one that just asked will be', () => {
  const threads = [LOOP, asking(0)];
  const news = database(1, ASKED, { lastDataSentMs: 700_000, lastDataReceivedMs: ASKED });
  for (const others of [news, database(1, 900)]) {
    assert.deepEqual(told({ stuck: inbound(40, UNREAD), others, threads }), ['not-reading likely 40']);
  }
});

test('stalled: a consumer that has asked for news and waits for them is no worker that waits for an answer', () => {
  const consumer = database(1, 7200_000);
  const threads = [LOOP, asking(0)];
  assert.deepEqual(told({ stuck: inbound(40, UNREAD), others: consumer, threads }), ['not-reading likely 40']);
  assert.deepEqual(told({ stuck: inbound(1), others: consumer, threads }), ['unknown undecided 1']);
  assert.deepEqual(told({ stuck: inbound(2), others: consumer, threads }), ['missing-close likely 2']);
});

test('stalled: as many threads wait for an answer as connections are stuck', () => {
  const threads = [ACCEPTOR, asking(0), asking(1), asking(2)];
  assert.deepEqual(told({ stuck: inbound(3, END), others: database(3, ASKED), threads }), ['stalled likely 3']);
  assert.deepEqual(told({ stuck: inbound(9, END), others: database(3, ASKED), threads }), ['forgotten likely 9']);
});

test('stalled: an event loop goes on, but nothing it asked has been answered since before the oldest was given up', () => {
  const scene: Scene = { stuck: givenUp(4), others: database(4, FIRST_ASKED) };
  assert.deepEqual(told(scene), ['stalled likely 4']);
  assert.match(facts(scene), /no answer on any of 4 connections to 10\.0\.4\.7:5432 for 59 min 59 s/);
});

test('stalled: one answer since, or a silence that began later, speaks against it', () => {
  const one = database(4, FIRST_ASKED).map((it, i) => (i === 0 ? { ...it, lastDataReceivedMs: 10 } : it));
  assert.deepEqual(told({ stuck: givenUp(4), others: one }), ['missing-close likely 4']);
  assert.deepEqual(told({ stuck: givenUp(4), others: database(4, 300_000) }), ['missing-close likely 4']);
});

test('stalled: clients that are sent to and say nothing are no servers that do not answer', () => {
  const clients = database(4, FIRST_ASKED).map((it, i) => ({
    ...it,
    local: endpoint('10.0.0.1:8000'),
    peer: endpoint(`10.0.0.6:${i + 1}`),
  }));
  assert.deepEqual(told({ stuck: givenUp(4), others: clients }), ['missing-close likely 4']);
});

test('stalled: responses that nobody reads are not requests that nobody comes to', () => {
  assert.deepEqual(told({ stuck: outbound(30, UNREAD), threads: [LOCKED, LOCKED] }), ['forgotten likely 30']);
});

test('stalled: threads in uninterruptible sleep are named', () => {
  const scene: Scene = {
    stuck: inbound(9, UNREAD),
    threads: [ACCEPTOR, thread(undefined, undefined, { state: 'uninterruptible', busy: 0 })],
  };
  assert.deepEqual(told(scene), ['stalled likely 9']);
  assert.match(facts(scene), /1 thread of gunicorn in uninterruptible sleep \(state D\)/);
  const asleep = (sleepsIn: string) => thread(undefined, undefined, { state: 'uninterruptible', busy: 0, sleepsIn });
  const onNfs = { ...scene, threads: [ACCEPTOR, asleep('rpc_wait_bit_killable')] };
  assert.match(facts(onNfs), /in uninterruptible sleep \(state D\), in rpc_wait_bit_killable/);
});

test('stalled: what a thread in uninterruptible sleep waits for is said where the function tells', () => {
  const says = (sleepsIn: string[]): string | undefined =>
    sleepEvidence({ ...NO_CONDUCT, uninterruptible: 1, sleepsIn }, 'app')[0]?.says;
  assert.match(says(['rpc_wait_bit_killable']) ?? '', /NFS/);
  assert.match(says(['io_schedule']) ?? '', /^for a disk$/);
  assert.match(says(['something_new', 'request_wait_answer']) ?? '', /FUSE/);
  assert.match(says(['something_new']) ?? '', /driver/);
  assert.match(says([]) ?? '', /driver/);
  assert.equal(sleepEvidence(NO_CONDUCT, 'app').length, 0);
});
