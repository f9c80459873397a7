import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/model/errors.ts';
import type { TcpSocket } from '../../src/model/socket.ts';
import { HELD_FIELD, HELD_SIZE, HeldRecords } from '../../src/parse/held-socket.ts';
import { FACTS, heldRecord } from '../helpers/held.ts';
import { endpoint, listener, socket } from '../helpers/model.ts';

const HOLDER = { pid: 812, fd: 9 };

const decoded = (bytes: Uint8Array, facts = FACTS): TcpSocket => new HeldRecords(bytes, facts).socket(0);

/** The fields of a socket as plain data, those that a lazy one would give when asked included. */
const plain = (it: TcpSocket): object => {
  const { netns, family, state, local, peer, recvQueue, sendQueue, timer, timerMs, uid, inode } = it;
  const { lastAckReceivedMs, lastDataReceivedMs, lastDataSentMs } = it;
  const { keepalive, linger, inEpoll, awaited, shutdown, error } = it;
  const times = { lastAckReceivedMs, lastDataReceivedMs, lastDataSentMs };
  const more = { keepalive, linger, inEpoll, awaited, shutdown, error };
  return { netns, family, state, local, peer, recvQueue, sendQueue, timer, timerMs, uid, inode, ...times, ...more };
};

const SAID = { keepalive: false, linger: false, inEpoll: false, awaited: false, shutdown: 'receive', error: undefined };

test('the fields lie one behind the other, each at a multiple of its size as the verifier asks', () => {
  let end = 0;
  for (const [name, { offset, size }] of Object.entries(HELD_FIELD)) {
    assert.equal(offset, end, name);
    assert.equal(offset % Math.min(size, 4), 0, name);
    end = offset + size;
  }
  assert.equal(end, HELD_SIZE);
  assert.equal(HELD_SIZE % 8, 0);
});

test('a record gives the socket that the kernel has: IPv4, IPv6 and mapped', () => {
  for (const [family, local, peer] of [
    [4, '10.0.0.1:8000', '10.0.0.5:40000'],
    [6, '[2001:db8::1]:443', '[fe80::1:2]:65535'],
    [6, '10.0.0.1:8000', '10.0.0.5:1'],
  ] as const) {
    const made = socket({ family, local: endpoint(local), peer: endpoint(peer), recvQueue: 263, sendQueue: 11 });
    const expected = { ...made, lastDataSentMs: 600_000, timerMs: undefined, ...SAID };
    assert.deepEqual(plain(decoded(heldRecord(made, HOLDER))), plain(expected as TcpSocket));
  }
});

test('what is set on a socket, who waits on it, and its timer', () => {
  const made = socket({ keepalive: true, linger: true, inEpoll: true, awaited: true, error: 104, timer: 'keepalive' });
  const it = decoded(heldRecord(made, HOLDER, { keepaliveExpires: 1000 + 250 * 7 }));
  assert.deepEqual(
    [it.keepalive, it.linger, it.inEpoll, it.awaited, it.error, it.timer, it.timerMs],
    [true, true, true, true, 104, 'keepalive', 7000],
  );
  assert.equal(decoded(heldRecord(socket({ timer: 'retransmit' }), HOLDER)).timer, 'retransmit');
  assert.equal(decoded(heldRecord(socket({ timer: 'zero-window-probe' }), HOLDER)).timer, 'zero-window-probe');
});

test('what a kernel does not have is not known, and not false', () => {
  const it = decoded(heldRecord(socket(), HOLDER), {
    kind: 'generic',
    ticksPerSecond: 250,
    absent: ['inEpoll', 'awaited'],
  });
  assert.deepEqual([it.inEpoll, it.awaited, it.keepalive, it.linger], [undefined, undefined, undefined, undefined]);
});

test('times go back over the turn of jiffies, and what came while the record was written came just now', () => {
  assert.equal(decoded(heldRecord(socket({ lastAckReceivedMs: 3_600_000 }), HOLDER)).lastAckReceivedMs, 3_600_000);
  const now = heldRecord(socket(), HOLDER, { now: 1000, lastAckReceived: 1002 });
  assert.equal(decoded(now).lastAckReceivedMs, 0);
});

test('a listener has its queue and its limit', () => {
  const made = listener({ queue: 129, limit: 128 });
  assert.deepEqual(new HeldRecords(heldRecord(made, HOLDER), FACTS).listener(0), made);
});

test('a closed socket was a connection when it has a peer and a sequence number of it', () => {
  const was = (fields: object): boolean =>
    new HeldRecords(heldRecord(socket({ state: 'CLOSE' }), HOLDER, fields), FACTS).wasConnected(0);
  assert.equal(was({}), true);
  assert.equal(was({ remotePort: 0 }), false);
  assert.equal(was({ receiveNext: 0 }), false);
});

test('each socket of a pass reads its own record, in whatever order', () => {
  const made = Array.from({ length: 20 }, (_, n) =>
    socket({
      inode: 1000 + n,
      local: endpoint(`10.0.0.${n % 3}:${80 + (n % 2)}`),
      peer: endpoint(`10.1.0.${n}:${4000 + n}`),
    }),
  );
  const bytes = Buffer.concat(made.map((it, fd) => heldRecord(it, { pid: 7, fd })));
  const records = new HeldRecords(new Uint8Array(bytes), FACTS);
  const sockets = made.map((_, record) => records.socket(record));
  fc.assert(
    fc.property(fc.array(fc.nat(19), { minLength: 1, maxLength: 9 }), (order) => {
      for (const n of order) {
        assert.deepEqual(sockets[n]?.local, made[n]?.local);
        assert.deepEqual(sockets[n]?.peer, made[n]?.peer);
        assert.equal(sockets[n]?.inode, made[n]?.inode);
      }
    }),
  );
});

test('bytes that are no whole records are refused; whatever whole records hold can be read', () => {
  assert.throws(() => new HeldRecords(new Uint8Array(HELD_SIZE + 1), FACTS), ParseError);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: HELD_SIZE, maxLength: HELD_SIZE }), (bytes) => {
      const records = new HeldRecords(bytes, FACTS);
      plain(records.socket(0));
      records.listener(0);
      assert.ok((records.socket(0).recvQueue ?? -1) >= 0);
    }),
  );
});
