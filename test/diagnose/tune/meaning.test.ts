import assert from 'node:assert/strict';
import { test } from 'node:test';
import { factsOf, meaningOf } from '../../../src/diagnose/tune/meaning.ts';
import { PARAMETERS } from '../../../src/diagnose/tune/parameters.ts';
import { timeoutsFor } from '../../../src/diagnose/tune/timeouts.ts';
import { listener, process, socket, sockets, unaccepted } from '../../helpers/model.ts';

const TIME = 'net.ipv4.tcp_keepalive_time';

test('keepalive reaches only the sockets that have it on, and only when their timers go off', () => {
  const on = sockets(2, { keepalive: true, timer: 'keepalive', timerMs: 6_240_000 });
  const facts = factsOf([...on, ...sockets(248, { keepalive: false }, 5000)], [], undefined);
  const { bearing, reach, means } = meaningOf(TIME, facts);
  assert.equal(bearing, 'reaches');
  assert.deepEqual(reach, { sockets: 2, of: 250 });
  assert.match(means, /^2 of 250 have keepalive on: a change reaches at most these 2/);
  assert.match(means, /go off, in 1 h 44 min\. /);
  assert.match(means, /The descriptor stays open/);
});

test('where a retransmission hides whether keepalive is on, no reach is told', () => {
  const { reach, means } = meaningOf(TIME, factsOf([socket({ timer: 'retransmit' })], [], undefined));
  assert.equal(reach, undefined);
  assert.match(means, /of 1 it is not known/);
});

test('tcp_retries2 reaches sockets with data that was not acknowledged', () => {
  const facts = factsOf([socket({ sendQueue: 5 }), socket({ inode: 7 })], [], undefined);
  assert.deepEqual(meaningOf('net.ipv4.tcp_retries2', facts).reach, { sockets: 1, of: 2 });
});

test('a longer accept queue is said to fill up as well', () => {
  const facts = factsOf([unaccepted()], [listener({ queue: 129, limit: 128 })], undefined);
  assert.match(meaningOf('net.core.somaxconn', facts).means, /129 of 128\)\. A longer queue fills up as well/);
});

test('ports are a matter of outbound connections', () => {
  const facts = factsOf(sockets(3), [listener()], undefined);
  assert.match(meaningOf('net.ipv4.ip_local_port_range', facts).means, /none of these is one/);
  assert.match(meaningOf('net.ipv4.ip_local_port_range', factsOf(sockets(3), [], undefined)).means, /3 of 3/);
});

test('what is about other states is folklore, however many sockets there are', () => {
  for (const name of ['tcp_fin_timeout', 'tcp_max_syn_backlog', 'tcp_tw_reuse'])
    assert.equal(meaningOf(`net.ipv4.${name}`, factsOf(sockets(9), [], undefined)).bearing, 'folklore');
});

test('every parameter has a meaning, with sockets and without', () => {
  for (const { name } of PARAMETERS)
    for (const facts of [factsOf([], [], undefined), factsOf(sockets(4), [], { open: 1161, limit: 2_466_177 })])
      assert.ok(meaningOf(name, facts).means.length > 10, name);
});

test('time-outs are told for the runtimes that are there, once each', () => {
  const advice = timeoutsFor([
    process({ pid: 1, runtime: 'python' }),
    process({ pid: 2, runtime: 'java' }),
    process({ pid: 3, runtime: 'python' }),
    process({ pid: 4 }),
  ]);
  assert.deepEqual(
    advice.map(({ runtime, processes }) => [runtime, processes]),
    [
      ['python', [1, 3]],
      ['java', [2]],
    ],
  );
});
