import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import type { Finding } from '../../src/model/finding.ts';
import type { Process, Thread, Wait } from '../../src/model/process.ts';
import { endpoint, holding, listener, process, snapshot, socket, unaccepted } from '../helpers/model.ts';

const REDIS = socket({
  state: 'ESTABLISHED',
  inode: 2000,
  local: endpoint('10.0.0.1:41000'),
  peer: endpoint('10.0.4.7:6379'),
  lastDataSentMs: 240_000,
  lastDataReceivedMs: 300_000,
  lastAckReceivedMs: 240_000,
});
const LISTENER = listener({ inode: 3000 });
const STUCK = socket({ inode: 1000 });

const thread = (kind?: Wait['kind'], fd?: number): Thread => ({
  tid: 812,
  ...(kind && { wait: { call: kind, kind, ...(fd !== undefined && { fd }) } }),
});

/** Descriptors: 10 a stuck socket, 11 the connection to Redis, 12 the listener. */
const worker = (threadList: Thread[], fields: Partial<Process> = {}): Process =>
  process({ sockets: holding(STUCK, REDIS, LISTENER), threadList, ...fields });

function finding(threadList: Thread[], redis = REDIS, stuck = STUCK): Finding {
  const holder = worker(threadList, {
    sockets: new Map([
      [1000, [10]],
      [2000, [11]],
      [3000, [12]],
    ]),
  });
  const services = new Map([[6379, 'redis']]);
  const seen = { ...snapshot({ sockets: [stuck, redis], listeners: [LISTENER], processes: [holder] }), services };
  const [found] = diagnose(seen).findings;
  assert.ok(found);
  return found;
}

const facts = ({ evidence }: Finding): string => evidence.map(({ fact, says }) => `${fact}: ${says}`).join('\n');

test('a program whose every thread waits on a connection that has long been silent is stalled, and the connection is named', () => {
  const found = finding([thread('receive', 11), thread('receive', 11)], REDIS, { ...STUCK, recvQueue: 263 });
  assert.equal(found.cause, 'stalled');
  assert.equal(found.confidence, 'proven');
  assert.match(facts(found), /2 of 2 threads of \S+ wait to receive from 10\.0\.4\.7:6379 \(redis\), silent for 4 min/);
  assert.ok(found.next.some(({ why }) => why.includes('10.0.4.7:6379 (redis) does not answer')));
});

test('a single thread is called that', () => {
  assert.match(
    facts(finding([thread('receive', 11)])),
    /the only thread of \S+ waits to receive from 10\.0\.4\.7:6379/,
  );
});

test('one thread that could still work leaves it undecided, with what the others do', () => {
  for (const other of [thread(), thread('events', 4), thread('accept', 12), thread('lock'), thread('sleep')]) {
    const found = finding([thread('receive', 11), other]);
    assert.equal(found.cause, 'unknown');
    assert.match(facts(found), /1 of 2 threads of \S+ waits to receive from 10\.0\.4\.7:6379/);
  }
});

test('a connection on which something moved a moment ago is not silent, so the program is not stalled', () => {
  for (const fresh of [{ lastDataSentMs: 4900 }, { lastDataReceivedMs: 10 }]) {
    assert.equal(finding([thread('receive', 11)], { ...REDIS, ...fresh }).cause, 'unknown');
  }
});

test('a connection whose times are not known proves nothing', () => {
  const { lastDataSentMs: _sent, ...unknown } = REDIS;
  assert.equal(finding([thread('receive', 11)], unknown).cause, 'unknown');
});

test('a descriptor that is no socket of the process proves nothing', () => {
  assert.equal(finding([thread('receive', 0)]).cause, 'unknown');
});

test('a thread that waits to accept says where', () => {
  assert.match(
    facts(finding([thread('accept', 12)])),
    /the only thread of \S+ waits to accept at 0\.0\.0\.0:8000: the program is free/,
  );
});

test('without threads nothing is said of them', () => {
  assert.doesNotMatch(facts(finding([])), /thread/);
});

test('of an accept queue, the threads of all who hold the listener are told together', () => {
  const master = worker([thread('events', 4)], { pid: 811, startedAt: 1, sockets: holding(LISTENER) });
  const workers = [812, 813].map((pid) =>
    worker([thread('receive', 11)], {
      pid,
      startedAt: 2,
      sockets: new Map([
        [2000, [11]],
        [3000, [12]],
      ]),
    }),
  );
  const seen = snapshot({ sockets: [unaccepted(), REDIS], listeners: [LISTENER], processes: [master, ...workers] });
  const found = diagnose(seen).findings.find(({ cause }) => cause === 'accept-backlog');
  assert.ok(found);
  assert.match(facts(found), /2 of 3 threads of \S+ \(3 processes\) wait to receive from 10\.0\.4\.7:6379/);
});

test('a socket that is in no table is no TCP connection if all were read, and else unknown', () => {
  const holder = worker([thread('receive', 13)], {
    sockets: new Map([
      [1000, [10]],
      [7777, [13]],
    ]),
  });
  const seen = snapshot({ sockets: [STUCK], listeners: [LISTENER], processes: [holder] });
  const all = { ...seen, byState: { ...seen.byState, ESTABLISHED: 0 } };
  const { ESTABLISHED: _none, ...some } = all.byState;
  const said = (one: typeof seen): string => diagnose(one).findings.map(facts).join('\n');
  assert.match(said(all), /waits to receive: on a socket that is no TCP connection/);
  assert.match(said({ ...seen, byState: some }), /waits to receive: on a socket of which nothing is known/);
});
