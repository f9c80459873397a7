import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { socketRows } from '../../src/diagnose/socket-rows.ts';
import type { Snapshot } from '../../src/model/snapshot.ts';
import { renderJson } from '../../src/render/json.ts';
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

const documentOf = (of: Snapshot) => JSON.parse(renderJson(of, diagnose(of)));
const all = sockets(3);
const leak = snapshot({
  sockets: all,
  listeners: [listener()],
  processes: [process({ sockets: holding(...all, listener()) })],
});

test('the document names its schema, its time, its source and the verdict', () => {
  const { schema, taken_at, took_ms, source, host, status } = documentOf(leak);
  assert.deepEqual(
    { schema, taken_at, took_ms, source, host, status },
    {
      schema: 'unclosed.report/1',
      taken_at: '2026-11-20T03:12:44.120Z',
      took_ms: 93,
      source: { kind: 'live' },
      host: { name: 'db-1', kernel: '6.18.4' },
      status: 'ok',
    },
  );
});

test('totals count, and what was not counted is null', () => {
  const { tcpSockets: _none, ...uncounted } = leak;
  const { totals } = documentOf(uncounted);
  assert.deepEqual(totals, {
    tcp_sockets: null,
    by_state: { ESTABLISHED: 10, CLOSE_WAIT: 2, LISTEN: 3 },
    close_wait: 3,
    stuck: 3,
    maybe_stuck: 0,
    closed_but_held: null,
    namespaces: 1,
    processes: 18,
  });
});

test('a finding names its holder, its listener, its peers, and ages in seconds', () => {
  const { holder, listener: at, peers, age, direction, sockets: count, fds } = documentOf(leak).findings[0];
  assert.deepEqual(
    [holder.pid, holder.name, holder.user, holder.container, holder.started_at],
    [812, 'gunicorn', 'www', null, '2026-11-19T03:12:44.120Z'],
  );
  assert.deepEqual(at, { address: '0.0.0.0', port: 8000, queue: 0, limit: 128, pid: 812 });
  assert.deepEqual(peers, [{ address: '10.0.0.5', port: null, service: null, sockets: 3, process: null }]);
  assert.deepEqual([age.oldest, age.median, age.youngest, age.exact], [600, 600, 600, true]);
  assert.deepEqual([direction, count], ['inbound', 3]);
  assert.deepEqual(fds, { open: 20, limit: 1024, share: 0.0195, full_in: null });
});

test('the rate of a leak and the time until it is full are told', () => {
  const many = times(61, (i) => socket({ inode: i + 1, ...aged(60_000 + i * 60_000) }));
  const { arrivals, fds } = documentOf(
    snapshot({ sockets: many, processes: [process({ openFds: 963, sockets: holding(...many) })] }),
  ).findings[0];
  assert.deepEqual(arrivals, { per_hour: 61, window: 3600 });
  assert.equal(fds.full_in, 3600);
});

test('nobody holds what nobody has accepted', () => {
  const of = snapshot({
    sockets: [unaccepted()],
    listeners: [listener()],
    processes: [process({ sockets: holding(listener()) })],
  });
  const { holder, listener: at } = documentOf(of).findings[0];
  assert.equal(holder, null);
  assert.deepEqual([at.pid, at.holder.name], [812, 'gunicorn']);
});

test('closed sockets are counted by descriptor, and have no direction', () => {
  const of = snapshot({ closedButHeld: times(5, (fd) => ({ pid: 812, fd, inode: fd + 1 })), processes: [process()] });
  const { sockets: count, direction } = documentOf(of).findings[0];
  assert.deepEqual([count, direction], [5, null]);
});

test('single sockets are listed only when they are asked for', () => {
  assert.equal('sockets' in documentOf(leak), false);
  const one = socket({ cookie: 2n ** 63n, cgroupId: 7n, timer: 'keepalive', timerMs: 5, lastAckReceivedMs: 1500 });
  const diagnosis = diagnose(
    snapshot({ sockets: [one], processes: [process({ sockets: new Map([[1000, [9, 10]]]) })] }),
  );
  const { sockets: list } = JSON.parse(renderJson(snapshot(), diagnosis, socketRows(diagnosis)));
  assert.deepEqual(list, [
    {
      netns: 4026531840,
      local: endpoint('10.0.0.1:8000'),
      peer: endpoint('10.0.0.5:40000'),
      state: 'CLOSE_WAIT',
      recv_q: 0,
      send_q: 0,
      inode: 1000,
      cookie: '9223372036854775808',
      uid: 33,
      cgroup: '7',
      timer: 'keepalive',
      keepalive: true,
      bytes_acked: null,
      bytes_received: null,
      linger: null,
      in_epoll: null,
      awaited: null,
      shutdown: null,
      error: null,
      age: { at_least: 1.5, at_most: 600 },
      cause: 'unknown',
      holders: [
        { pid: 812, fd: 9 },
        { pid: 812, fd: 10 },
      ],
    },
  ]);
});

test('what is not known of a socket is null', () => {
  const { lastAckReceivedMs: _a, lastDataReceivedMs: _d, uid: _u, ...bare } = unaccepted({ timer: 'retransmit' });
  const diagnosis = diagnose(snapshot({ sockets: [bare] }));
  const [only] = JSON.parse(renderJson(snapshot(), diagnosis, socketRows(diagnosis))).sockets;
  assert.deepEqual(
    [only.inode, only.cookie, only.uid, only.cgroup, only.keepalive, only.age, only.holders],
    [null, null, null, null, null, { at_least: null, at_most: null }, []],
  );
});

test('whatever names there are, the document is JSON with them, and holds no control character but the newline', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      const of = snapshot({
        sockets: all,
        processes: [process({ name, command: name, sockets: holding(...all) })],
        host: { name, kernel: name },
      });
      const text = renderJson(of, diagnose(of));
      assert.doesNotMatch(text, /[^\n\P{Cc}]/u);
      const read = JSON.parse(text);
      assert.deepEqual([read.findings[0].holder.name, read.host.name], [name, name]);
    }),
  );
});

test('every control character is escaped, each so that it can be read back', () => {
  const name = times(0xa0, (code) => String.fromCharCode(code)).join('');
  const text = renderJson(snapshot({ host: { name, kernel: '6' } }), diagnose(snapshot()));
  assert.doesNotMatch(text, /[^\n\P{Cc}]/u);
  assert.equal(JSON.parse(text).host.name, name);
});

test('times are written as Date writes them', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }), (takenAt) => {
      assert.equal(documentOf(snapshot({ takenAt })).taken_at, new Date(takenAt).toISOString());
    }),
  );
});

test('an unlimited number of descriptors is no number', () => {
  const unlimited = process({
    fdLimit: Number.POSITIVE_INFINITY,
    fdHardLimit: Number.POSITIVE_INFINITY,
    sockets: holding(...all),
  });
  const { fds, holder } = documentOf(snapshot({ sockets: all, processes: [unlimited] })).findings[0];
  assert.deepEqual([fds.limit, fds.share, holder.fd_hard_limit], [null, null, null]);
});
