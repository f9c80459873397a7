import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCapture } from '../../../src/parse/captures/text.ts';
import { rowOf, rowsOf } from './helpers.ts';

// Formats that this machine cannot make, written after the tools' documentation and source. Addresses are those of RFC 5737.

const ENDS = { local: { address: '192.0.2.10', port: 8080 }, peer: { address: '198.51.100.7', port: 54321 } };
const CW = { ...ENDS, family: 4, state: 'CLOSE_WAIT' } as const;
const QUEUES = { recvQueue: 24, sendQueue: 0 };

for (const [what, line, wanted] of [
  [
    'netstat -antp',
    'tcp 24 0 192.0.2.10:8080 198.51.100.7:54321 CLOSE_WAIT 812/nginx: worker p',
    { ...CW, ...QUEUES, holders: [{ pid: 812, name: 'nginx: worker p' }] },
  ],
  [
    'netstat with an unknown owner',
    'tcp 24 0 192.0.2.10:8080 198.51.100.7:54321 CLOSE_WAIT -',
    { ...CW, ...QUEUES, holders: [] },
  ],
  [
    'netstat -eo with a name',
    'tcp 24 0 192.0.2.10:8080 198.51.100.7:54321 CLOSE_WAIT www 4711 keepalive (3590.12/0/0)',
    { ...CW, ...QUEUES, user: 'www', inode: 4711, timer: 'keepalive', timerMs: 3_590_120 },
  ],
  [
    'netstat of a mapped address',
    'tcp6 24 0 ::ffff:192.0.2.10:8080 ::ffff:198.51.100.7:54321 CLOSE_WAIT',
    { ...CW, family: 6, ...QUEUES },
  ],
  [
    'netstat of Windows',
    '  TCP    192.0.2.10:8080        198.51.100.7:54321     CLOSE_WAIT      812',
    { ...CW, holders: [{ pid: 812 }] },
  ],
  [
    'netstat of a German Windows',
    '  TCP    192.0.2.10:8080        198.51.100.7:54321     SCHLIESSEN_WARTEN      812',
    { ...CW, holders: [{ pid: 812 }] },
  ],
  [
    'netstat of FreeBSD',
    'tcp4      24      0 192.0.2.10.8080        198.51.100.7.54321     CLOSE_WAIT',
    { ...CW, ...QUEUES },
  ],
  [
    'netstat -v of macOS',
    'tcp4      24      0  192.0.2.10.8080  198.51.100.7.54321 CLOSE_WAIT  131072 131860   812      0 0x0122 0x00000008',
    { ...CW, ...QUEUES, holders: [{ pid: 812 }] },
  ],
  [
    'netstat -v of a later macOS',
    'tcp4      24      0  192.0.2.10.8080  198.51.100.7.54321 CLOSE_WAIT  13398 5574  131072  131072  Some Browser He:812    00102 00000000 00000000000b699 00000000',
    { ...CW, ...QUEUES, holders: [{ pid: 812, name: 'Some Browser He' }] },
  ],
  [
    'ss before iproute2 4',
    'CLOSE-WAIT 24     0      192.0.2.10:8080    198.51.100.7:54321  users:(("nginx",812,5))',
    { ...CW, ...QUEUES, holders: [{ pid: 812, name: 'nginx', fd: 5 }] },
  ],
  [
    'ss -a with names',
    'tcp   CLOSE-WAIT 24     0      192.0.2.10:http-alt    198.51.100.7:54321',
    { ...CW, ...QUEUES },
  ],
  ['ss with an interface', 'CLOSE-WAIT 24 0 192.0.2.10%eth0:8080 198.51.100.7:54321', { ...CW, ...QUEUES }],
  [
    'ss with an odd name',
    'CLOSE-WAIT 24 0 192.0.2.10:8080 198.51.100.7:54321 users:(("a"),(b,pid=1",pid=812,fd=5))',
    { ...CW, ...QUEUES, holders: [{ pid: 812, name: 'a"),(b,pid=1', fd: 5 }] },
  ],
  [
    'lsof of Linux',
    'nginx 812 www 5u IPv4 4711 0t0 TCP 192.0.2.10:8080->198.51.100.7:54321 (CLOSE_WAIT)',
    { ...CW, inode: 4711, holders: [{ pid: 812, name: 'nginx', fd: 5, user: 'www' }] },
  ],
  [
    'lsof with threads',
    'nginx 812 815 GC\\x20Threa www *614u IPv4 4711 0t0 TCP 192.0.2.10:8080->198.51.100.7:54321 (CLOSE_WAIT)',
    { ...CW, inode: 4711, holders: [{ pid: 812, name: 'nginx', fd: 614, user: 'www' }] },
  ],
  [
    'lsof of macOS',
    'Google\\x20C 812 www 5u IPv4 0xecdb8f01d2c5b025 0t0 TCP 192.0.2.10:8080->198.51.100.7:54321 (CLOSE_WAIT)',
    { ...CW, device: '0xecdb8f01d2c5b025', holders: [{ pid: 812, name: 'Google C', fd: 5, user: 'www' }] },
  ],
  [
    'lsof -T',
    'nginx 812 www 5u IPv4 4711 0t0 TCP 192.0.2.10:8080->198.51.100.7:54321 (CLOSE_WAIT QR=24 QS=0)',
    { ...CW, ...QUEUES, inode: 4711, holders: [{ pid: 812, name: 'nginx', fd: 5, user: 'www' }] },
  ],
  [
    'lsof of a closed connection',
    'nginx 812 www 5u sock 0,8 0t0 4711 protocol: TCP',
    { closed: true, inode: 4711, holders: [{ pid: 812, name: 'nginx', fd: 5, user: 'www' }] },
  ],
  [
    'lsfd of util-linux 2.39',
    'nginx: w 812 www 5 rw--- TCP sockfs 10 4711 state=close-wait laddr=192.0.2.10:8080 raddr=198.51.100.7:54321',
    { ...CW, inode: 4711, holders: [{ pid: 812, name: 'nginx: w', fd: 5, user: 'www' }] },
  ],
] as const) {
  test(`${what}: one row`, () => assert.deepEqual(rowOf(line), wanted));
}

test('a listen queue of FreeBSD is one of a listener, with its limit', () => {
  assert.deepEqual(rowOf('tcp4  27/0/32  192.0.2.10.8080'), {
    family: 4,
    state: 'LISTEN',
    local: ENDS.local,
    recvQueue: 27,
    sendQueue: 32,
  });
});

test('a name of a port that nobody knows stays one port, and no number', () => {
  const text =
    'x 1 u 5u IPv4 1 0t0 TCP a.example:odd-name->b.example:54321 (CLOSE_WAIT)\nx 1 u 6u IPv4 2 0t0 TCP a.example:odd-name->b.example:other (CLOSE_WAIT)';
  const [one, two] = rowsOf(text);
  assert.equal(one?.local?.port, -1);
  assert.equal(two?.local?.port, -1);
  assert.equal(two?.peer?.port, -2);
  assert.deepEqual(
    [...parseCapture(text).portNames],
    [
      [-1, 'odd-name'],
      [-2, 'other'],
    ],
  );
});

const JSON_FILE = {
  fd: '5',
  type: 'IPv4',
  device: '4711',
  protocol: 'TCP',
  name: '192.0.2.10:8080->198.51.100.7:54321',
  tcp_info: { state: 'CLOSE_WAIT', recv_queue: 24, send_queue: 0 },
};
const JSON_PROCESS = { pid: 812, command: 'nginx', uid: 33, login: 'www' };
const JSON_ROW = { ...CW, ...QUEUES, inode: 4711, holders: [{ pid: 812, name: 'nginx', fd: 5, user: 'www', uid: 33 }] };

test('lsof -J and -j (4.99.7) give the same row, on one line or on many', () => {
  const whole = {
    lsof_version: '4.99.7',
    processes: [{ ...JSON_PROCESS, files: [{ fd: 'cwd', type: 'DIR', name: '/{"' }, JSON_FILE] }],
  };
  for (const text of [
    JSON.stringify(whole),
    JSON.stringify(whole, null, 2),
    JSON.stringify({ ...JSON_PROCESS, ...JSON_FILE }),
  ]) {
    assert.deepEqual(rowOf(text), JSON_ROW);
  }
});

test('a list of 100,000 files in one line of JSON comes in parts and is read whole', () => {
  const files = Array.from({ length: 1000 }, () => JSON.stringify(JSON_FILE)).join(',');
  const text = `{"processes":[{"pid":812,"command":"nginx","files":[${Array(100).fill(files).join(',')}]}]}`;
  assert.equal(rowsOf(text).length, 100_000);
});

test('lsfd -J gives the row', () => {
  const record = {
    command: 'nginx',
    pid: 812,
    user: 'www',
    assoc: '5',
    type: 'TCP',
    inode: 4711,
    name: 'state=close-wait laddr=192.0.2.10:8080 raddr=198.51.100.7:54321',
  };
  assert.deepEqual(rowOf(JSON.stringify({ lsfd: [record] }, null, 3)), {
    ...CW,
    inode: 4711,
    holders: [{ pid: 812, name: 'nginx', fd: 5, user: 'www' }],
  });
});

for (const [text, state, count] of [
  ['7047 CLOSE_WAIT', 'CLOSE_WAIT', 7047],
  ['   7047 CLOSE-WAIT', 'CLOSE_WAIT', 7047],
  ['CLOSE_WAIT 7,047', 'CLOSE_WAIT', 7047],
  ['close_wait: 7047', 'CLOSE_WAIT', 7047],
  ['"CLOSE_WAIT": 7047,', 'CLOSE_WAIT', 7047],
  ['  120 ESTABLISHED', 'ESTABLISHED', 120],
  ['$ netstat -ant | grep -c CLOSE_WAIT\n7047', 'CLOSE_WAIT', 7047],
  ['# ss -tan | grep CLOSE-WAIT | wc -l\n7047', 'CLOSE_WAIT', 7047],
] as const) {
  test(`a count: ${text.replace('\n', ', ')}`, () => {
    const { captures, errors } = parseCapture(text);
    assert.deepEqual(errors, []);
    const [found] = captures.flatMap(({ counts }) => counts);
    assert.deepEqual({ state: found?.state, count: found?.count }, { state, count });
  });
}

test('the state of an ss without State column is that of the command above it', () => {
  const rows =
    'Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n1 0 192.0.2.10:8080 198.51.100.7:54321 users:(("a",pid=1,fd=3))';
  assert.equal(rowsOf(`# ss -tanp state close-wait\n${rows}`)[0]?.state, 'CLOSE_WAIT');
  assert.equal(rowsOf(`# ss -tanp state established\n${rows}`)[0]?.state, 'ESTABLISHED');
  assert.equal(rowsOf(rows)[0]?.state, undefined);
});
