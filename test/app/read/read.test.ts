import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ReadLook, type ReadOptions, readCaptures } from '../../../src/app/read/read.ts';
import { scrubCapture } from '../../../src/app/read/scrub.ts';
import { UnclosedError } from '../../../src/model/errors.ts';
import { DEFAULT_LIMITS, type Limits } from '../../../src/model/finding.ts';
import { renderReport } from '../../../src/render/report.ts';

const FIXTURES = fileURLToPath(new URL('../../../fixtures/captures/linux-6.18/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'unclosed-read-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
/** Reads these texts as files, the earliest first. */
function read(texts: string[], options: Partial<ReadOptions> = {}): Promise<ReadLook> {
  const paths = texts.map((text) => {
    const path = join(folder, `capture-${files++}.txt`);
    writeFileSync(path, text);
    return path;
  });
  return readCaptures({ paths, input: process.stdin, ...options });
}

const stuckAfter = (stuckAfterMs: number): Limits => ({ ...DEFAULT_LIMITS, stuckAfterMs });

const readFixture = (name: string, options: Partial<ReadOptions> = {}): Promise<ReadLook> =>
  readCaptures({ paths: [join(FIXTURES, `${name}.txt`)], input: process.stdin, ...options });

const page = ({ snapshot, diagnosis, limits }: ReadLook): string =>
  renderReport(snapshot, diagnosis, {
    width: 80,
    paint: (_style, text) => text,
    limits,
    all: false,
    verbose: true,
    again: '',
  });

const refused =
  (code: string, message = /./) =>
  (error: unknown): boolean =>
    error instanceof UnclosedError && error.code === code && message.test(error.message) && error.remedy !== '';

const netstat = (port: number, pid = '812/java', state = 'CLOSE_WAIT', peerPort = 0): string =>
  `tcp 1 0 192.0.2.10:8080 198.51.100.7:${peerPort || port} ${state} ${pid}`;
const range = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => netstat(40_000 + from + i)).join('\n');

for (const file of readdirSync(FIXTURES)) {
  const name = file.slice(0, -4);
  if (!file.endsWith('.txt') || /^(?:lsfd|ss-s$|.*-tlnp)/.test(name)) continue;
  test(`${name}: every socket of the capture is in the report, and in the lines that fit a screen`, async () => {
    const seen = await readFixture(name, { limits: stuckAfter(0) });
    const { totals } = seen.diagnosis;
    // lsof walks processes, and nobody has the four that were not accepted.
    assert.equal(totals.closeWait, name.startsWith('lsof') ? 16 : 20);
    assert.equal(totals.stuck + totals.maybeStuck, totals.closeWait);
    for (const line of page(seen).split('\n')) assert.ok(line.length <= 80, line);
    assert.deepEqual(seen.lost, []);
  });
}

for (const name of ['ss-tanpe', 'netstat-antpe', 'ss-tanp', 'netstat-antp']) {
  test(`${name}: what nobody has accepted is called so, proven only where inodes are told`, async () => {
    const { diagnosis } = await readFixture(name, { limits: stuckAfter(0) });
    const backlog = diagnosis.findings.find(({ cause }) => cause === 'accept-backlog');
    assert.equal(backlog?.subject.sockets.length, 4);
    assert.equal(backlog?.confidence, name.endsWith('e') ? 'proven' : 'likely');
  });
}

test('without the rights to see all processes, nothing without a process is called unaccepted', async () => {
  const text = `(Not all processes could be identified, non-owned process info\n${netstat(40_000, '-')}\ntcp 1 0 0.0.0.0:8080 0.0.0.0:* LISTEN -\n${netstat(40_001)}`;
  const { diagnosis } = await read([text]);
  assert.ok(diagnosis.findings.every(({ cause }) => cause !== 'accept-backlog'));
  assert.ok(diagnosis.gaps.some(({ code }) => code === 'CAPTURE_NOT_ALL'));
});

test('without ages nothing is called stuck, old or young', async () => {
  const seen = await readFixture('lsof');
  const text = page(seen);
  assert.equal(seen.diagnosis.totals.stuck, 0);
  assert.match(text, /16 connections in CLOSE_WAIT for an unknown time/);
  assert.doesNotMatch(text, /\bstuck\b|churn|oldest|Recv-Q [01]/);
  assert.match(text, /Not seen: Recv-Q and ages/);
});

test('ages of ss -i are used: what is younger than the limit is churn', async () => {
  assert.match(page(await readFixture('ss-tanpi')), /20 connections in CLOSE_WAIT for less than 1 min/);
  assert.match(page(await readFixture('ss-tanpi', { limits: stuckAfter(100) })), /20 connections stuck/);
});

test('several captures of one paste tell of the same sockets together', async () => {
  const ends = '192.0.2.10:8080->198.51.100.7:40001';
  const text = [
    netstat(40_001, '-'),
    `java 812 www 9u IPv4 4711 0t0 TCP ${ends} (CLOSE_WAIT)`,
    'CLOSE-WAIT 25 0 192.0.2.10:8080 198.51.100.7:40001\n\t cubic cwnd:10 lastsnd:90000 lastrcv:90000 lastack:90000',
  ].join('\n');
  const { snapshot, diagnosis } = await read([text]);
  const [socket, ...more] = snapshot.sockets;
  assert.equal(more.length, 0);
  assert.equal(socket?.inode, 4711);
  assert.equal(socket?.recvQueue, 25);
  assert.equal(diagnosis.totals.stuck, 1);
  assert.equal(diagnosis.findings[0]?.subject.process?.name, 'java');
});

test('a second capture gives the growth: new, gone, staying, and a rate when the time is given', async () => {
  const { snapshot, diagnosis } = await read([range(0, 120), range(10, 150)], { betweenMs: 600_000 });
  assert.deepEqual(snapshot.growth, { before: 120, appeared: 30, gone: 10, stayed: 110, afterMs: 600_000 });
  assert.equal(diagnosis.totals.stuck, 110);
  assert.equal(Math.round(diagnosis.findings[0]?.arrivals?.perHour ?? 0), 120);
});

test('the time between two captures is that of date(1) in them; without it there is no rate', async () => {
  const dated = await read([
    `Fri Nov 20 03:00:00 UTC 2026\n${range(0, 5)}`,
    `Fri Nov 20 03:10:00 CET 2026\n${range(0, 6)}`,
  ]);
  assert.equal(dated.snapshot.growth?.afterMs, 600_000);
  const undated = await read([range(0, 5), range(0, 6)]);
  assert.equal(undated.snapshot.growth?.afterMs, undefined);
  assert.equal(undated.diagnosis.findings[0]?.arrivals, undefined);
  assert.equal(undated.diagnosis.totals.stuck, 0);
});

test('counts alone are told as counts', async () => {
  const seen = await read(['   7047 CLOSE_WAIT\n    12 ESTABLISHED\n      1 State']);
  assert.equal(seen.diagnosis.totals.closeWait, 7047);
  assert.equal(seen.diagnosis.status, 'warning');
  assert.match(page(seen), /7,047 connections in CLOSE_WAIT, counted without names/);
});

test('ss without State column is taken as CLOSE_WAIT, and says so', async () => {
  const { diagnosis } = await readFixture('ss-close-wait');
  assert.equal(diagnosis.totals.closeWait, 20);
  assert.ok(diagnosis.gaps.some(({ code }) => code === 'CAPTURE_NO_STATE'));
});

test('descriptors of closed connections in lsof output are found', async () => {
  const { diagnosis } = await readFixture('lsof-p');
  assert.equal(diagnosis.findings.find(({ cause }) => cause === 'closed-but-held')?.subject.closedFds, 2);
});

test('filters choose by pid, name, port and peer, and a process that is not there is an error', async () => {
  const text = `${netstat(40_000)}\n${netstat(40_001, '900/nginx')}`;
  for (const filter of [{ pids: [900] }, { command: 'ngi' }, { port: 40_001 }, { peer: '198.51.100.7:40001' }]) {
    assert.equal((await read([text], { filter })).diagnosis.totals.closeWait, 1);
  }
  await assert.rejects(read([text], { filter: { pids: [1] } }), refused('NOTHING_MATCHES', /pid 1/));
});

for (const [what, text, code] of [
  ['nothing', '', 'CAPTURE_EMPTY'],
  ['prose', 'Hello,\nour server hangs.\n', 'CAPTURE_FOREIGN'],
  ['statistics', 'Total: 63\nTCP:   74 (estab 20, closed 44, orphaned 0, timewait 17)\n', 'CAPTURE_UNTELLING'],
  ['listeners', 'LISTEN 0 128 0.0.0.0:80 0.0.0.0:*\n', 'CAPTURE_UNTELLING'],
  [
    'rows of which those in CLOSE_WAIT are not understood',
    `${netstat(1, '-', 'ESTABLISHED')}\nfoo CLOSE_WAIT bar\n`,
    'CAPTURE_FOREIGN',
  ],
] as const) {
  test(`${what}: an error, and not "nothing stuck"`, () => assert.rejects(read([text]), refused(code)));
}

test('a file that is not there, a folder and a compressed file are errors with a remedy', async () => {
  const at = (path: string) => readCaptures({ paths: [path], input: process.stdin });
  await assert.rejects(at(join(folder, 'nothing')), refused('CAPTURE_MISSING', /no such file/));
  await assert.rejects(at(folder), refused('CAPTURE_MISSING', /folder/));
  const packed = join(folder, 'packed.gz');
  writeFileSync(packed, Buffer.from([0x1f, 0x8b, 8, 0, 0, 0]));
  await assert.rejects(at(packed), refused('CAPTURE_FOREIGN', /gzip/));
});

const SECRETS = ['192.0.2.10', '198.51.100.7', '2001:db8:77', 'app.example', 'alice', '0A0200C0'];
const SECRET_TEXT = [
  'alice@app.example:~$ ss -tanp # password hunter2',
  netstat(40_000),
  'tcp6 0 0 2001:db8:77::5:8080 2001:db8:77::9:41234 CLOSE_WAIT 812/java',
  'tcp6 0 0 2001:db8:77:8d3:1:8080 2001:db8:77:8:41235 CLOSE_WAIT 812/java',
  'CLOSE-WAIT 1 0 [2001:db8:77::5]:8080 [2001:db8:77::9]:41236 users:(("java",pid=812,fd=9))',
  'tcp4 25 0 192.0.2.10.8080 198.51.100.7.41237 CLOSE_WAIT',
  'java 812 alice 5u IPv6 1 0t0 TCP app.example:8080->[2001:db8:77::9]:41238 (CLOSE_WAIT)',
  '  9: 0A0200C0:1F90 076433C6:A11B 08 00000000:00000001 00:00000000 00000000  33 0 417589 1 0',
  JSON.stringify({
    pid: 812,
    command: 'java',
    login: 'alice',
    fd: '6',
    type: 'IPv4',
    protocol: 'TCP',
    name: '192.0.2.10:8080->app.example:41240',
    tcp_info: { state: 'CLOSE_WAIT' },
  }),
  'a line about 192.0.2.10 and alice',
].join('\n');

test('--scrub leaves no address, host or user name, and the same report', async () => {
  const path = join(folder, 'secret.txt');
  writeFileSync(path, SECRET_TEXT);
  const shared = await scrubCapture(path, process.stdin);
  for (const secret of SECRETS) assert.ok(!shared.includes(secret), `${secret} in\n${shared}`);
  assert.doesNotMatch(shared, /hunter2/);
  const before = await read([SECRET_TEXT]);
  const scrubbed = await read([shared]);
  assert.equal(scrubbed.diagnosis.totals.closeWait, before.diagnosis.totals.closeWait);
  const ports = ({ snapshot }: ReadLook): number[] => snapshot.sockets.map(({ peer }) => peer.port).sort();
  assert.deepEqual(ports(scrubbed), ports(before));
});

for (const name of ['ss-tanpieo', 'netstat-neopa', 'lsof', 'lsof-F', 'lsof-F0', 'proc-net-tcp']) {
  test(`${name} scrubbed gives the same findings`, async () => {
    const shared = await scrubCapture(join(FIXTURES, `${name}.txt`), process.stdin);
    const told = ({ diagnosis }: ReadLook) =>
      diagnosis.findings.map(({ cause, severity, subject }) => [
        cause,
        severity,
        subject.process?.pid,
        subject.sockets.length,
      ]);
    assert.deepEqual(told(await read([shared])), told(await readFixture(name)));
  });
}

test('without listeners in the capture, nothing tells which side came to the other', async () => {
  const alone = await read([netstat(40_000)]);
  assert.equal(alone.diagnosis.findings[0]?.subject.direction, 'unknown');
  assert.doesNotMatch(page(alone), /inbound|outbound/);
  const listening = await read([`${netstat(40_000)}\ntcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN 1/sshd`]);
  assert.equal(listening.diagnosis.findings[0]?.subject.direction, 'outbound');
});

test('what tells more is a command of the system that the capture is from', async () => {
  for (const [text, command] of [
    [netstat(40_000, '-'), /sudo ss /],
    ['tcp4 25 0 192.0.2.10.8080 198.51.100.7.41237 CLOSE_WAIT', /sudo lsof -nP -iTCP/],
    ['x 812 u 5u IPv4 0xecdb8f01d2c5b025 0t0 TCP 192.0.2.10:8080->198.51.100.7:5 (CLOSE_WAIT)', /sudo lsof/],
    ['  TCP    192.0.2.10:8080   198.51.100.7:54321   CLOSE_WAIT   812', /netstat -anob/],
  ] as const) {
    assert.match((await read([text])).diagnosis.gaps[0]?.remedy ?? '', command);
  }
});
