import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseProcNetTcp } from '../../src/parse/proc-net.ts';
import { endpoint, listener, socket } from '../helpers/model.ts';
import { procNetTcp } from '../helpers/netlink.ts';

const PATH = '/proc/812/net/tcp';
const HEADER = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';

// Linux 6.18, workloads never-accepted and unread.
const TCP = `${HEADER}   0: 0100007F:EB0D 00000000:0000 0A 00000000:00000001 00:00000000 00000000     0        0 3609908 1 0000000000000000 100 0 0 10 0
   1: 0100007F:83D5 0100007F:97AE 08 00000002:00000107 02:00000015 00000000    33        0 3608942 1 0000000000000000 20 4 0 10 -1
`;
const TCP6 = `${HEADER}   0: 00000000000000000000000001000000:ABDD 00000000000000000000000001000000:D5A2 08 00000000:00000107 00:00000000 00000000     0        0 3609667 1
   1: 0000000000000000FFFF00000100007F:BEDB 0000000000000000FFFF00000500000A:ED84 08 00000000:00000000 00:00000000 00000000     0        0 0 1
   2: B80D012000000000000000000100FEFF:01BB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7 1
`;

const rowsOf = (text: string, path = PATH) => {
  const { rows, errors } = parseProcNetTcp(text, path);
  assert.deepEqual(errors, []);
  return rows;
};

test('an IPv4 row gives addresses, state, queues, timer, user and inode', () => {
  assert.deepEqual(rowsOf(TCP), [
    {
      local: endpoint('127.0.0.1:60173'),
      peer: endpoint('0.0.0.0:0'),
      state: 'LISTEN',
      sendQueue: 0,
      recvQueue: 1,
      timer: 'none',
      uid: 0,
      inode: 3609908,
    },
    {
      local: endpoint('127.0.0.1:33749'),
      peer: endpoint('127.0.0.1:38830'),
      state: 'CLOSE_WAIT',
      sendQueue: 2,
      recvQueue: 263,
      timer: 'keepalive',
      uid: 33,
      inode: 3608942,
    },
  ]);
});

test('IPv6 addresses are put together from their words, and mapped ones are shown as IPv4', () => {
  assert.deepEqual(
    rowsOf(TCP6).map(({ local, peer }) => [local, peer]),
    [
      [endpoint('[::1]:43997'), endpoint('[::1]:54690')],
      [endpoint('127.0.0.1:48859'), endpoint('10.0.0.5:60804')],
      [endpoint('[2001:db8::fffe:1]:443'), endpoint('[::]:0')],
    ],
  );
});

test('a socket that nobody has accepted has inode 0', () => {
  assert.equal(rowsOf(TCP6)[1]?.inode, 0);
});

for (const [what, from, to] of [
  ['cut short', /:00000107.*$/m, ':0000'],
  ['with an unknown state', ' 08 ', ' 77 '],
  ['with a state that is no number', ' 08 ', ' zz '],
  ['with a broken address', '0100007F:83D5', '0100007:83D5'],
  ['with an inode that is no number', ' 3608942 ', ' -1 '],
  ['with a queue that is no number', '00000002:00000107', '0000000x:00000107'],
] as const) {
  test(`a row ${what} becomes an error with path and line, and costs no other row`, () => {
    const { rows, errors } = parseProcNetTcp(TCP.replace(from, to), PATH);
    assert.deepEqual(
      rows.map(({ state }) => state),
      ['LISTEN'],
    );
    assert.equal(errors.length, 1);
    assert.match(errors[0]?.message ?? '', /^\/proc\/812\/net\/tcp:3: /);
  });
}

test('every truncation of a row gives that row right, or an error, or nothing', () => {
  const [wanted] = rowsOf(HEADER + TCP.split('\n')[2]);
  const line = TCP.split('\n')[2] ?? '';
  for (let length = 0; length < line.length; length++) {
    const { rows } = parseProcNetTcp(HEADER + line.slice(0, length), PATH);
    // The inode is the last column that is read, so a cut within it cannot be noticed.
    for (const row of rows) assert.deepEqual({ ...row, inode: wanted?.inode }, wanted);
  }
});

test('an empty table has no rows and no errors', () => {
  assert.deepEqual(rowsOf(HEADER), []);
  assert.deepEqual(rowsOf(''), []);
});

test('whatever the kernel prints of a socket is read back', () => {
  const number = fc.nat(0xffffffff);
  fc.assert(
    fc.property(fc.ipV4(), fc.nat(65535), number, number, (address, port, queue, inode) => {
      const it = socket({ local: { address, port }, recvQueue: queue, sendQueue: 3, inode, timer: 'retransmit' });
      const { local, peer, state, recvQueue, sendQueue, timer } = it;
      const [row] = rowsOf(procNetTcp([it], 4));
      assert.deepEqual(row, { local, peer, state, recvQueue, sendQueue, timer, uid: 33, inode });
      const [same] = rowsOf(procNetTcp([{ ...it, family: 6 }], 6));
      assert.deepEqual(same, row);
    }),
  );
  assert.equal(rowsOf(procNetTcp([listener({ queue: 5 })], 4))[0]?.recvQueue, 5);
});

test('random text never throws', () => {
  const line = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...TCP.split(/[ :]/)));
  fc.assert(
    fc.property(fc.array(line), fc.constantFrom(' ', '\n', ':', ''), (parts, glue) => {
      parseProcNetTcp(parts.join(glue), PATH);
    }),
  );
});
