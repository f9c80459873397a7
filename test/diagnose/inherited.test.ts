import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Process } from '../../src/model/process.ts';
import type { TcpSocket } from '../../src/model/socket.ts';
import { aged, endpoint, holding, NOW, process, socket } from '../helpers/model.ts';
import { ACCEPTOR, facts, inbound, LISTENER, LOCKED, LOOP, type Scene, thread, told } from '../helpers/scene.ts';

/** Runs for so long. */
const since = (milliseconds: number): Partial<Process> => ({ startedAt: (NOW - milliseconds) / 1000 });
const old = (milliseconds: number): Partial<TcpSocket> => ({ ...aged(milliseconds), lastDataSentMs: milliseconds });
const PARENT = process({ pid: 700, name: 'shop', sockets: holding(LISTENER) });
const child = (fields: Partial<Process> = {}): Partial<Process> => ({ parent: 700, ...since(60_000), ...fields });
const SLEEPS = [thread('sleep')];

test('inherited-fd: connections older than the only process that holds them', () => {
  const scene: Scene = { stuck: inbound(5, old(600_000)), threads: SLEEPS, holder: child() };
  assert.deepEqual(told(scene), ['inherited-fd likely 5']);
  assert.match(facts(scene), /5 connections older than gunicorn \(pid 812\), which runs for 1 min/);
});

test('inherited-fd: whatever lies unread in them, and with younger ones apart', () => {
  const mixed = inbound(6, old(600_000)).map((it, i) => ({ ...it, recvQueue: [0, 1, 263][i % 3] ?? 0 }));
  assert.deepEqual(told({ stuck: mixed, threads: SLEEPS, holder: child() }), ['inherited-fd likely 6']);
});

test('inherited-fd: one older connection may have been handed over, or have waited for the process', () => {
  const [verdict] = told({ stuck: inbound(1, old(600_000)), threads: SLEEPS, holder: child() });
  assert.equal(verdict, 'unknown undecided 1');
});

test('inherited-fd: not when they may be younger than the process, or no age is known', () => {
  for (const scene of [
    { stuck: inbound(5, old(59_000)), holder: child() },
    { stuck: inbound(5, { ...old(600_000), lastAckReceivedMs: 1000, lastDataSentMs: 1000 }), holder: child() },
  ]) {
    assert.ok(!told(scene).some((it) => it.startsWith('inherited-fd')));
  }
  const { startedAt: _unknown, ...rest } = process();
  assert.ok(!told({ stuck: inbound(5, old(600_000)), holder: rest }).some((it) => it.startsWith('inherited-fd')));
});

/** A second child with copies of the same sockets. */
const twin = (stuck: TcpSocket[], fields: Partial<Process> = {}): Process =>
  process({ pid: 813, parent: 700, sockets: holding(...stuck), ...since(50_000), ...fields });

test('inherited-fd: proven when several hold them and all are younger', () => {
  const stuck = inbound(5, old(600_000));
  const scene: Scene = { stuck, threads: SLEEPS, holder: child(), more: { processes: [twin(stuck), PARENT] } };
  assert.deepEqual(told(scene), ['inherited-fd proven 5']);
  assert.match(facts(scene), /the parent shop \(pid 700\) holds none of them/);
});

test('inherited-fd: likely when brothers share them, and their parent holds none (any more)', () => {
  const stuck = inbound(5, old(30_000)).map((it) => ({ ...it, ...aged(70_000) }));
  const holder = child(since(90_000));
  const scene: Scene = { stuck, threads: SLEEPS, holder, more: { processes: [twin(stuck, since(80_000)), PARENT] } };
  assert.deepEqual(told(scene), ['inherited-fd likely 5']);
});

test('inherited-fd: not when the one that made them holds them too: it has not closed them either', () => {
  const stuck = inbound(5);
  const copies = process({ pid: 813, parent: 812, sockets: holding(...stuck), ...since(50_000) });
  const scene: Scene = { stuck, threads: [LOOP], more: { processes: [copies] } };
  assert.deepEqual(told(scene), ['missing-close likely 5']);
  assert.match(facts(scene), /also open in gunicorn 813 \(5 sockets\)/);
});

test('inherited-fd: not of a successor that got listener and connections, while the one before holds them too', () => {
  const stuck = inbound(5, old(600_000));
  const before = process({ pid: 700, name: 'shop', sockets: holding(...stuck) });
  const scene: Scene = { stuck, threads: [LOOP], holder: child(), more: { processes: [before] } };
  assert.deepEqual(told(scene), ['missing-close likely 5']);
});

const LIVED = { ...since(86_400_000) };

test('inherited-fd: a child that does not accept has what its parent accepts', () => {
  const parents = socket({ inode: 5000, state: 'ESTABLISHED', peer: endpoint('10.0.0.9:1') });
  const parent = process({ pid: 700, name: 'shop', sockets: holding(LISTENER, parents) });
  const scene: Scene = {
    stuck: inbound(5),
    threads: SLEEPS,
    holder: child(LIVED),
    more: { processes: [parent] },
    others: [],
  };
  const sockets = [...scene.stuck, parents];
  assert.deepEqual(told({ ...scene, more: { processes: [parent], sockets } }), ['inherited-fd likely 5']);
});

test('inherited-fd: undecided of a child that is not seen to accept: worker or copy', () => {
  const scene: Scene = { stuck: inbound(5), threads: SLEEPS, holder: child(LIVED), more: { processes: [PARENT] } };
  assert.deepEqual(told(scene), ['unknown undecided 5']);
});

test('inherited-fd: not of a worker, which accepts from the listener of its parent', () => {
  for (const threads of [[ACCEPTOR, LOCKED], [LOOP]]) {
    const scene: Scene = { stuck: inbound(5), threads, holder: child(LIVED), more: { processes: [PARENT] } };
    assert.deepEqual(told(scene), ['missing-close likely 5']);
  }
});

test('inherited-fd: all data came when the process had just been started, and none after', () => {
  const stuck = inbound(5, { ...aged(95_000), lastDataReceivedMs: 98_000 });
  const holder = child(since(100_000));
  const scene: Scene = { stuck, threads: SLEEPS, holder, more: { processes: [PARENT] } };
  assert.deepEqual(told(scene), ['inherited-fd likely 5']);
});

test('inherited-fd: says what descriptors do when a program is started', () => {
  const stuck = inbound(5, old(600_000));
  const said = (set: number) =>
    facts({
      stuck,
      threads: SLEEPS,
      holder: child({ closeOnExec: { looked: 4, set } }),
      more: { processes: [PARENT] },
    });
  assert.match(said(0), /close-on-exec is set on 0 of 4 descriptors looked at: without it a program that is started/);
  assert.match(said(4), /set on 4 of 4 .*over fork\(\) alone/);
});
