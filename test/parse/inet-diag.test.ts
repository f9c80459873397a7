import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/model/errors.ts';
import type { Listener, TcpSocket } from '../../src/model/socket.ts';
import { StructReader } from '../../src/parse/bytes.ts';
import { DiagDecoder, encodeDiagRequest, encodeSocketRequest, stateMask } from '../../src/parse/inet-diag.ts';
import { walkDatagram } from '../../src/parse/netlink.ts';
import { bytes, everyTruncationFails, onlyParseErrors } from '../helpers/bytes.ts';
import { endpoint, listener, socket } from '../helpers/model.ts';
import { attribute, inetDiagMessage, message, tcpInfo } from '../helpers/netlink.ts';

const NETNS = 4026531840;

const decode = (it: Uint8Array, start = 0, end = it.length): TcpSocket | Listener =>
  new DiagDecoder(NETNS).decode(new StructReader('inet_diag_msg', it), start, end);

function decodeDatagram(datagram: Uint8Array): (TcpSocket | Listener)[] {
  const found: (TcpSocket | Listener)[] = [];
  const reader = new StructReader('inet_diag_msg', datagram);
  walkDatagram(reader, datagram.length, (_type, start, end) =>
    found.push(new DiagDecoder(NETNS).decode(reader, start, end)),
  );
  return found;
}

// Real messages of Linux 6.18, as root, with `python3 workloads/stuck.py CASE --count 1` and a dump through
// openNetns() of src/kernel/fast.ts. Behind the times, struct tcp_info is shortened to zeros.
const TCP_INFO_TAIL = '00'.repeat(280 - 60);

// CASE missing-close, dumped with struct inet_diag_req (both families), one second after the FIN
const CLOSE_WAIT_V4 = bytes(`
  98 01 00 00                                      // nlmsg_len: 408
  12 00 02 00 01 00 00 00 26 36 00 00              // nlmsg_type 18, flags, seq, pid
  02 08 00 00                                      // idiag_family, state CLOSE_WAIT, timer, retrans
  83 d5 97 ae                                      // idiag_sport 33749, idiag_dport 38830
  7f 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00  // idiag_src
  7f 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00  // idiag_dst
  00 00 00 00                                      // idiag_if
  44 35 05 00 00 00 00 00                          // idiag_cookie
  00 00 00 00                                      // idiag_expires
  00 00 00 00 00 00 00 00                          // idiag_rqueue, idiag_wqueue
  00 00 00 00 6e 11 37 00                          // idiag_uid, idiag_inode
  05 00 08 00 01 00 00 00                          // INET_DIAG_SHUTDOWN
  08 00 0f 00 00 00 00 00                          // INET_DIAG_MARK
  0c 00 15 00 01 00 00 00 00 00 00 00              // INET_DIAG_CGROUP_ID
  06 00 16 00 52 00 00 00                          // INET_DIAG_SOCKOPT
  1c 01 02 00                                      // INET_DIAG_INFO, struct tcp_info:
  08 00 00 00 00 07 aa 01                          // tcpi_state .. bit fields
  e0 1c 03 00 40 9c 00 00 00 80 00 00 18 02 00 00  // tcpi_rto, ato, snd_mss, rcv_mss
  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  // tcpi_unacked, sacked, lost, retrans
  00 00 00 00                                      // tcpi_fackets
  80 05 00 00 00 00 00 00                          // tcpi_last_data_sent, tcpi_last_ack_sent
  80 05 00 00 80 05 00 00                          // tcpi_last_data_recv, tcpi_last_ack_recv
  ${TCP_INFO_TAIL}
`);

test('a real IPv4 socket is read with its identity, queues, cgroup and times', () => {
  assert.deepEqual(decodeDatagram(CLOSE_WAIT_V4), [
    {
      netns: NETNS,
      family: 4,
      state: 'CLOSE_WAIT',
      local: endpoint('127.0.0.1:33749'),
      peer: endpoint('127.0.0.1:38830'),
      recvQueue: 0,
      sendQueue: 0,
      timer: 'none',
      uid: 0,
      inode: 3608942,
      cookie: 0x53544n,
      cgroupId: 1n,
      lastDataSentMs: 1408,
      lastDataReceivedMs: 1408,
      lastAckReceivedMs: 1408,
      bytesAcked: 0,
      bytesReceived: 0,
    },
  ]);
});

// CASE unread --family mapped: an IPv6 socket that speaks IPv4
const CLOSE_WAIT_MAPPED = bytes(`
  0a 08 00 00 be db ed 84                          // family AF_INET6, CLOSE_WAIT, timer, retrans, ports 48859, 60804
  00 00 00 00 00 00 00 00 00 00 ff ff 7f 00 00 01  // idiag_src ::ffff:127.0.0.1
  00 00 00 00 00 00 00 00 00 00 ff ff 7f 00 00 01  // idiag_dst
  00 00 00 00 49 35 05 00 00 00 00 00 00 00 00 00  // idiag_if, cookie, expires
  07 01 00 00 00 00 00 00 00 00 00 00 36 12 37 00  // rqueue 263, wqueue, uid, inode
`);

// CASE unread --family 6
const CLOSE_WAIT_V6 = bytes(`
  0a 08 00 00 ab dd d5 a2                          // family, state, timer, retrans, ports 43997, 54690
  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01  // idiag_src ::1
  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01  // idiag_dst
  00 00 00 00 4d 35 05 00 00 00 00 00 00 00 00 00  // idiag_if, cookie, expires
  07 01 00 00 00 00 00 00 00 00 00 00 43 14 37 00  // rqueue 263, wqueue, uid, inode
`);

test('an IPv6 socket that speaks IPv4 keeps its family, and shows its addresses as IPv4', () => {
  const { family, local, recvQueue, inode } = decode(CLOSE_WAIT_MAPPED) as TcpSocket;
  assert.deepEqual(
    { family, local, recvQueue, inode },
    {
      family: 6,
      local: endpoint('127.0.0.1:48859'),
      recvQueue: 263,
      inode: 3609142,
    },
  );
});

test('IPv6 addresses are shortened', () => {
  const { family, local, peer } = decode(CLOSE_WAIT_V6) as TcpSocket;
  assert.deepEqual(
    { family, local, peer },
    { family: 6, local: endpoint('[::1]:43997'), peer: endpoint('[::1]:54690') },
  );
});

// CASE never-accepted, its listener
const LISTENER = bytes(`
  02 0a 00 00 eb 0d 00 00                          // family, LISTEN, timer, retrans, port 60173, none
  7f 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00  // idiag_src
  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  // idiag_dst
  00 00 00 00 cd 12 05 00 00 00 00 00 00 00 00 00  // idiag_if, cookie, expires
  01 00 00 00 0a 00 00 00                          // rqueue: 1 waits, wqueue: 10 may
  00 00 00 00 34 15 37 00                          // uid, inode
  05 00 08 00 00 00 00 00                          // INET_DIAG_SHUTDOWN
  0c 00 15 00 01 00 00 00 00 00 00 00              // INET_DIAG_CGROUP_ID
`);

test('the queues of a listener are the length and the limit of its accept queue', () => {
  assert.deepEqual(decode(LISTENER), {
    netns: NETNS,
    family: 4,
    local: endpoint('127.0.0.1:60173'),
    queue: 1,
    limit: 10,
    uid: 0,
    inode: 3609908,
    cgroupId: 1n,
  });
});

// CASE never-accepted, the connection
const NEVER_ACCEPTED = bytes(`
  02 08 00 00 eb 0d ed d4                          // family, CLOSE_WAIT, timer, retrans, ports
  7f 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00  // idiag_src
  7f 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00  // idiag_dst
  00 00 00 00 ce 12 05 00 00 00 00 00 00 00 00 00  // idiag_if, cookie, expires
  07 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00  // rqueue, wqueue, uid, inode 0
`);

test('inode 0 means that no file belongs to the socket, so the inode is absent', () => {
  const found = decode(NEVER_ACCEPTED) as TcpSocket;
  assert.equal('inode' in found, false);
  assert.equal(found.cookie, 0x512cen);
});

// CASE keepalive
const KEEPALIVE = bytes(`
  02 08 02 00 e3 c7 b6 f4                          // family, CLOSE_WAIT, timer 2, retrans, ports
  7f 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00  // idiag_src
  7f 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00  // idiag_dst
  00 00 00 00 54 35 05 00 00 00 00 00              // idiag_if, cookie
  ac 00 00 00                                      // idiag_expires: in 172 ms
  00 00 00 00 00 00 00 00 00 00 00 00 b3 14 37 00  // rqueue, wqueue, uid, inode
`);

test('a keepalive timer is told with the time it has left', () => {
  const { timer, timerMs } = decode(KEEPALIVE) as TcpSocket;
  assert.deepEqual({ timer, timerMs }, { timer: 'keepalive', timerMs: 172 });
});

for (const timer of ['none', 'retransmit', 'keepalive', 'timewait', 'zero-window-probe'] as const) {
  test(`timer ${timer} is read as the kernel numbers it`, () => {
    const found = decode(inetDiagMessage(socket({ timer, timerMs: 5 }))) as TcpSocket;
    assert.equal(found.timer, timer);
    assert.equal(found.timerMs, timer === 'none' ? undefined : 5);
  });
}

test('both halves of the cookie are read, the low one first', () => {
  assert.equal((decode(inetDiagMessage(socket({ cookie: 0x1_0000_0002n }))) as TcpSocket).cookie, 0x1_0000_0002n);
});

test('without tcp_info the times are absent, not zero', () => {
  const found = decode(NEVER_ACCEPTED);
  assert.equal('lastAckReceivedMs' in found || 'lastDataReceivedMs' in found || 'lastDataSentMs' in found, false);
});

test('a listener takes no times from tcp_info, whatever follows its message', () => {
  const found = decode(Buffer.concat([inetDiagMessage(listener()), attribute(2, tcpInfo(1, 2, 3))]));
  assert.equal('lastAckReceivedMs' in found, false);
});

test('nothing of one message is left over in the next one that the same decoder reads', () => {
  const decoder = new DiagDecoder(NETNS);
  const read = (it: Buffer) => decoder.decode(new StructReader('inet_diag_msg', it), 0, it.length);
  const { lastAckReceivedMs: _a, lastDataReceivedMs: _d, lastDataSentMs: _s, ...plain } = socket({ cookie: 5n });
  const full = socket({ cookie: 4n, cgroupId: 7n, timer: 'keepalive', timerMs: 9, local: endpoint('10.9.9.9:1') });
  for (const it of [full, plain, listener({ cgroupId: 3n }), listener(), plain, full]) {
    assert.deepEqual(read(inetDiagMessage(it)), it);
  }
});

test('a state that is not known is a ParseError that names it', () => {
  const strange = CLOSE_WAIT_V6.slice();
  strange[1] = 99;
  assert.throws(() => decode(strange), /ParseError: inet_diag_msg at 0: state 99 is not known/);
});

test('a family that is neither IPv4 nor IPv6 is a ParseError', () => {
  const strange = CLOSE_WAIT_V6.slice();
  strange[0] = 1;
  assert.throws(() => decode(strange), ParseError);
});

test('every truncation of a message is a ParseError', () => {
  for (const whole of [CLOSE_WAIT_MAPPED, CLOSE_WAIT_V6, NEVER_ACCEPTED, KEEPALIVE])
    everyTruncationFails(whole, decode);
});

test('every truncation of a message within its attributes is a ParseError, but between two of them', () => {
  const whole = LISTENER;
  const between = new Set([72, 77, 78, 79, 80]); // the value of 5 bytes is padded to 8
  for (let length = 1; length < whole.length; length++) {
    if (between.has(length)) decode(whole.subarray(0, length));
    else assert.throws(() => decode(whole.subarray(0, length)), ParseError);
  }
});

test('a message is not read past its end into the next one', () => {
  const two = Buffer.concat([CLOSE_WAIT_V6, CLOSE_WAIT_V6]);
  assert.throws(() => decode(two, 0, 70), ParseError);
});

test('a request for one family is struct inet_diag_req_v2', () => {
  assert.deepEqual(encodeDiagRequest({ states: stateMask('CLOSE_WAIT'), family: 6, tcpInfo: true }), {
    type: 20, // SOCK_DIAG_BY_FAMILY
    payload: bytes(`
      0a           // sdiag_family AF_INET6
      06           // sdiag_protocol IPPROTO_TCP
      02           // idiag_ext: INET_DIAG_INFO
      00           // pad
      00 01 00 00  // idiag_states: CLOSE_WAIT
      ${'00'.repeat(48)} // struct inet_diag_sockid
    `),
  });
});

test('a request for IPv4 without tcp_info says so', () => {
  const { payload } = encodeDiagRequest({ states: 0, family: 4, tcpInfo: false });
  assert.deepEqual([...payload.subarray(0, 3)], [2, 6, 0]);
});

test('a request for both families is struct inet_diag_req, which knows no family', () => {
  assert.deepEqual(encodeDiagRequest({ states: stateMask('LISTEN', 'CLOSE_WAIT'), tcpInfo: true }), {
    type: 18, // TCPDIAG_GETSOCK
    payload: bytes(`
      02           // idiag_family
      00           // idiag_src_len
      00           // idiag_dst_len
      02           // idiag_ext: INET_DIAG_INFO
      ${'00'.repeat(48)} // struct inet_diag_sockid
      00 05 00 00  // idiag_states: LISTEN, CLOSE_WAIT
      00 00 00 00  // idiag_dbs
    `),
  });
});

test('whatever a socket is, its message says the same', () => {
  const address = fc.oneof(fc.ipV4(), fc.constantFrom('2001:db8::1', 'fe80::1:2', '::1', '::'));
  const number = fc.nat(0xffffffff);
  fc.assert(
    fc.property(
      address,
      fc.nat(65535),
      number,
      number,
      fc.bigInt(0n, 2n ** 64n - 1n),
      number,
      (ip, port, queue, inode, cookie, ms) => {
        const it = socket({
          netns: NETNS,
          family: ip.includes(':') ? 6 : 4,
          local: { address: ip, port },
          peer: { address: ip, port: 65535 - port },
          recvQueue: queue,
          sendQueue: queue,
          inode: inode + 1 > 0xffffffff ? 1 : inode + 1,
          cookie,
          ...(cookie !== 0n && { cgroupId: cookie }),
          lastAckReceivedMs: ms,
        });
        const [found] = decodeDatagram(message(20, inetDiagMessage(it)));
        assert.deepEqual(found, it);
      },
    ),
  );
});

test('random bytes never throw anything but ParseError', () => {
  const head = fc.constantFrom([2, 8], [10, 8], [2, 10], [10, 10], [2, 1], [0, 0]);
  fc.assert(
    fc.property(head, fc.uint8Array({ maxLength: 400 }), (start, rest) =>
      onlyParseErrors(() => decode(Uint8Array.from([...start, ...rest]))),
    ),
    { numRuns: 2000 },
  );
});

test('a request for one socket holds its two ends, its interface and its cookie', () => {
  const local = bytes('02 00  1f 40  0a 00 00 01  00 00 00 00 00 00 00 00'); // AF_INET, port 8000, 10.0.0.1
  const peer = bytes('02 00  9c 40  0a 00 00 05  00 00 00 00 00 00 00 00'); // port 40000, 10.0.0.5
  assert.deepEqual(
    encodeSocketRequest({ local, peer, boundInterface: 7, cookie: 0x1122334455667788n }),
    bytes(`
      02 06 00 00  00 01 00 00                         // sdiag_family, sdiag_protocol, idiag_ext, pad, idiag_states
      1f 40 9c 40                                      // idiag_sport, idiag_dport
      0a 00 00 01  00 00 00 00 00 00 00 00 00 00 00 00 // idiag_src
      0a 00 00 05  00 00 00 00 00 00 00 00 00 00 00 00 // idiag_dst
      07 00 00 00                                      // idiag_if
      88 77 66 55 44 33 22 11                          // idiag_cookie, the low word first
    `),
  );
});

test('the ends of an IPv6 socket are whole', () => {
  const name = (port: string, last: string) =>
    bytes(`0a 00 ${port} 00 00 00 00  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 ${last}  00 00 00 00`);
  const request = encodeSocketRequest({
    local: name('00 50', '01'),
    peer: name('00 51', '02'),
    boundInterface: 0,
    cookie: 1n,
  });
  assert.deepEqual([request[0], request[27], request[43]], [10, 1, 2]);
});

test('a socket without a cookie, of two families, or of a cut name is none that could be asked for', () => {
  const v4 = bytes('02 00 1f 40 0a 00 00 01 00 00 00 00 00 00 00 00');
  const v6 = bytes(`0a 00${' 00'.repeat(26)}`);
  const ask =
    (local: Uint8Array, peer: Uint8Array, cookie = 1n) =>
    () =>
      encodeSocketRequest({ local, peer, boundInterface: 0, cookie });
  for (const wrong of [ask(v4, v4, 0n), ask(v4, v6), ask(v6, v4), ask(v4.slice(0, 7), v4), ask(v4, v4.slice(0, 7))])
    assert.throws(wrong, ParseError);
});
