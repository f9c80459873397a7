import assert from 'node:assert/strict';
import { test } from 'node:test';
import { captureFrom } from '../../src/app/capture.ts';
import { replaceWords, Scrubber, scrubTape } from '../../src/app/scrub.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { encodeDatagram } from '../../src/kernel/answers.ts';
import { RecordingMachine } from '../../src/kernel/recorder.ts';
import { ReplayingMachine } from '../../src/kernel/replayer.ts';
import { Tape } from '../../src/kernel/tape.ts';
import type { TcpSocket } from '../../src/model/socket.ts';
import { type FakeData, FakeMachine } from '../helpers/fake-machine.ts';
import { endpoint, holding, listener, socket, times } from '../helpers/model.ts';
import {
  attribute,
  done,
  INET_DIAG_MD5SIG,
  inetDiagMessage,
  ipv4,
  ipv6,
  message,
  procNetTcp,
} from '../helpers/netlink.ts';

// Recognisable ones: none of them occurs by chance in what is left.
const V4_PEER = '203.0.113.77';
const V4_LOCAL = '198.51.100.201';
const V6_PEER = 'fd12:3456:789a:bcde:fedc:ba98:7654:3210';
const V6_LOCAL = 'fd99:8877:6655:4433:2211:ffee:ddcc:bbaa';
const UID = 48_813;
const OTHER_UID = 48_814;
const SECRETS = ['alice', 'bobby', 'zebrahost', 'tok3n', 'secret-project'];

const loopback = socket({ inode: 1900, local: endpoint('127.0.0.1:8000'), peer: endpoint('127.0.0.1:5000') });
const SOCKETS: TcpSocket[] = [
  ...times(12, (i) =>
    socket({
      inode: 1000 + i,
      uid: UID,
      local: endpoint(`${V4_LOCAL}:8000`),
      peer: endpoint(`${V4_PEER}:${40_000 + i}`),
    }),
  ),
  socket({
    inode: 1100,
    uid: UID,
    family: 6,
    local: endpoint(`[${V6_LOCAL}]:8000`),
    peer: endpoint(`[${V6_PEER}]:41000`),
  }),
  socket({ inode: 1101, uid: UID, family: 6, local: endpoint(`${V4_LOCAL}:8000`), peer: endpoint(`${V4_PEER}:41001`) }),
  loopback,
];
const OTHERS = times(3, (i) => socket({ inode: 1200 + i, uid: OTHER_UID, peer: endpoint(`${V4_PEER}:${5432 + i}`) }));

const dataWith = (fields: Partial<FakeData> = {}): FakeData => ({
  processes: [
    {
      pid: 812,
      name: 'gunicorn',
      uid: UID,
      argv: ['/home/alice/secret-project/bin/gunicorn', '--password', 'tok3n'],
      cgroup: `/user.slice/user-${UID}.slice/user@${UID}.service/app.slice/shop.service`,
      sockets: holding(...SOCKETS, listener()),
    },
    { pid: 813, name: 'worker', uid: OTHER_UID, argv: [], sockets: holding(...OTHERS) },
  ],
  namespaces: [{ sockets: [...SOCKETS, ...OTHERS], listeners: [listener({ uid: UID })] }],
  files: {
    '/etc/passwd': `root:x:0:0:root:/root:/bin/sh\nalice:x:${UID}:${UID}:Alice:/home/alice:/bin/sh\nbobby:x:${OTHER_UID}:1::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n`,
    '/etc/services': 'postgresql 5432/tcp\n',
    '/proc/self/mountinfo':
      '21 27 0:20 / /proc rw - proc proc rw\n30 27 0:30 / /home/alice/secret-project rw - ext4 /dev/alice rw\n',
    '/proc/812/maps': '7f00-7f01 r-xp 00000000 08:01 12 /home/alice/secret-project/lib/libpython3.11.so.1.0\n',
  },
  ...fields,
});

class NamedMachine extends FakeMachine {
  override host() {
    return { name: 'zebrahost', kernel: '6.18.4', arch: 'x64' };
  }
  override link(path: string): string {
    return super.link(path).replace('/usr/bin', '/home/alice/secret-project');
  }
}

const OPTIONS = { young: true, allHolders: true, closedButHeld: 'always' } as const;

/** What `unclosed record` keeps of a machine. */
function tapeOf(data: FakeData): Tape {
  const recorder = new RecordingMachine(new NamedMachine(data));
  captureFrom(recorder, OPTIONS);
  return recorder.tape;
}

const contentOf = (tape: Tape): Buffer =>
  Buffer.concat(
    tape
      .entries()
      .flatMap(([question, answers]) => [
        Buffer.from(`\n${question}\n`),
        ...answers.map((it) => ('bytes' in it ? Buffer.from(it.bytes) : Buffer.from(it.refused))),
      ]),
  );

/** An address as text, as netlink has it, and as /proc/net/tcp prints it. */
function formsOf(address: string): Buffer[] {
  const raw = Buffer.from(address.includes(':') ? ipv6(address) : ipv4(address));
  const printed = Buffer.from(raw).swap32().toString('hex');
  return [Buffer.from(address), raw, Buffer.from(printed.toUpperCase()), Buffer.from(printed)];
}

function assertNothingLeft(tape: Tape): void {
  const content = contentOf(tape);
  for (const address of [V4_PEER, V4_LOCAL, V6_PEER, V6_LOCAL]) {
    for (const form of formsOf(address))
      assert.equal(content.includes(form), false, `${address} as ${form.toString('hex')}`);
  }
  for (const secret of SECRETS) assert.equal(content.includes(secret), false, `${secret} is left`);
  for (const uid of [UID, OTHER_UID]) {
    const at = content.indexOf(String(uid));
    const around = content.subarray(Math.max(0, at - 60), at + 20).toString('latin1');
    assert.equal(at, -1, `uid ${uid} is left in ${around}`);
  }
}

test('the tape that is scrubbed here holds every one of the names', () => {
  const content = contentOf(tapeOf(dataWith()));
  for (const address of [V4_PEER, V6_PEER]) assert.ok(content.includes(formsOf(address)[1] ?? ''), address);
  for (const secret of SECRETS) assert.ok(content.includes(secret), secret);
  assert.ok(content.includes(String(UID)));
});

test('no address, user, host name or command line is left in what came over netlink and from /proc', () => {
  assertNothingLeft(scrubTape(tapeOf(dataWith())));
});

test('no address or user is left in text tables', () => {
  const tape = tapeOf(dataWith({ refuse: { [`openNetns ${4026531840}`]: 'EPERM' } }));
  assert.ok(contentOf(tape).includes(formsOf(V4_PEER)[2] ?? ''));
  assertNothingLeft(scrubTape(tape));
});

test('the group of a user, which mostly has the same number, is not left either', () => {
  const tape = new Tape();
  tape.add('files/proc/812/status', {
    bytes: Buffer.from(`Uid:\t${UID}\t${UID}\t${UID}\t${UID}\nGid:\t${UID}\t${UID}\t${UID}\t${UID}\n`),
  });
  assertNothingLeft(scrubTape(tape));
});

test('a program in a folder with a space in its name gives away no part of that folder', () => {
  const tape = new Tape();
  tape.add('files/proc/812/cmdline', { bytes: Buffer.from('/home/alice/my app/bin/server\0--x\0') });
  tape.add('files/proc/813/cmdline', { bytes: Buffer.from('/opt/alice bobby/server\0--x\0') });
  assertNothingLeft(scrubTape(tape));
});

test('the key of a TCP MD5 signature, which the kernel tells root, is in no recording', () => {
  const key = attribute(INET_DIAG_MD5SIG, Buffer.from('....tok3n-of-the-router....'));
  const datagram = Buffer.concat([message(20, inetDiagMessage(socket(), true, [key])), done()]);
  const tape = new Tape();
  tape.add('netns/7/dump-100-both-info.bin', { bytes: encodeDatagram(datagram) });
  assertNothingLeft(tape);
});

/** The snapshot without who and where. */
function shape(tape: Tape) {
  const snapshot = captureFrom(new ReplayingMachine(tape, '/rec'), OPTIONS);
  const { findings, totals, status } = diagnose(snapshot);
  return {
    totals,
    status,
    byState: snapshot.byState,
    gaps: snapshot.gaps,
    reading: snapshot.reading,
    findings: findings.map(({ subject, cause, severity, evidence, age, arrivals, fds }) => ({
      ...{ cause, severity, evidence, age, arrivals, fds },
      kind: subject.kind,
      pid: subject.process?.pid,
      name: subject.process?.name,
      runtime: subject.process?.runtime,
      hasUser: subject.process?.user !== undefined,
      listener: subject.listener?.local.port,
      direction: subject.direction,
      peers: subject.peers.map(({ port, service, sockets }) => ({ port, service, sockets })),
    })),
  };
}

test('the report of a scrubbed recording is the same but for the names', () => {
  const tape = tapeOf(dataWith());
  assert.deepEqual(shape(scrubTape(tape)), shape(tape));
});

test('a process that dropped its rights, whose descriptors belong to root, keeps a user in the report', () => {
  const data = dataWith();
  for (const it of data.processes ?? []) Object.assign(it, { effectiveUid: it.uid, uid: 0 });
  for (const it of data.namespaces?.[0]?.sockets ?? []) it.uid = 0;
  const tape = tapeOf(data);
  assert.deepEqual(shape(scrubTape(tape)), shape(tape));
});

test('nobody stays nobody', () => {
  const data = dataWith();
  for (const it of data.processes ?? []) it.uid = 65_534;
  const tape = tapeOf(data);
  assert.deepEqual(shape(scrubTape(tape)), shape(tape));
});

test('the same address gets the same stand-in, in IPv4, mapped, over netlink and in text', () => {
  const tape = tapeOf(dataWith());
  const text = (family: 4 | 6) => ({
    bytes: Buffer.from(
      procNetTcp(
        SOCKETS.filter((it) => it.family === family),
        family,
      ),
    ),
  });
  tape.add('files/proc/812/net/tcp', text(4));
  tape.add('files/proc/812/net/tcp6', text(6));
  const scrubbed = scrubTape(tape);
  const machine = new ReplayingMachine(scrubbed, '/rec');
  const { sockets } = captureFrom(machine, OPTIONS);
  const peers = new Set(
    sockets.filter(({ inode = 0 }) => inode < 1100 || inode === 1101).map(({ peer }) => peer.address),
  );
  assert.equal(peers.size, 1);
  const [peer = ''] = peers;
  for (const file of ['tcp', 'tcp6']) {
    assert.ok(Buffer.from(machine.read(`/proc/812/net/${file}`)).includes(formsOf(peer)[2] ?? ''), file);
  }
});

test('different addresses get different stand-ins', () => {
  const all = times(600, (i) => socket({ inode: 2000 + i, peer: endpoint(`203.0.${i >> 8}.${i & 0xff}:1`) }));
  const tape = tapeOf({ processes: [{ pid: 812, sockets: holding(...all) }], namespaces: [{ sockets: all }] });
  const { sockets } = captureFrom(new ReplayingMachine(scrubTape(tape), '/rec'));
  assert.equal(new Set(sockets.map(({ peer }) => peer.address)).size, 600);
});

test('loopback, wildcard and root stay', () => {
  const { sockets, listeners } = captureFrom(new ReplayingMachine(scrubTape(tapeOf(dataWith())), '/rec'), OPTIONS);
  assert.deepEqual([...sockets].find(({ inode }) => inode === 1900)?.peer, loopback.peer);
  assert.equal(listeners[0]?.local.address, '0.0.0.0');
  const rooted = tapeOf({
    processes: [{ pid: 1, uid: 0, sockets: holding(socket()) }],
    namespaces: [{ sockets: [socket({ uid: 0 })] }],
  });
  const [only] = captureFrom(new ReplayingMachine(scrubTape(rooted), '/rec')).processes.values();
  assert.equal(only?.uid, 0);
});

test('the tape itself is left as it was', () => {
  const tape = tapeOf(dataWith());
  const before = Buffer.from(contentOf(tape));
  scrubTape(tape);
  assert.ok(before.equals(contentOf(tape)));
});

test('of open files the names of jars stay, and of mapped ones the packages that tell a library', () => {
  const add = (name: string, content: string): void => tape.add(name, { bytes: Buffer.from(content) });
  const tape = new Tape();
  add('links/proc/812/fd/5', '/home/alice/secret-project/lib/HikariCP-5.1.0.jar');
  add('links/proc/812/fd/6', '/home/alice/secret-project/accounts.db');
  add('files/proc/813/maps', '7f00-7f01 r-xp 00000000 08:01 12 /home/alice/site-packages/aiohttp/_http_parser.so\n');
  const left = contentOf(scrubTape(tape)).toString();
  for (const word of ['HikariCP-5.1.0.jar', '/aiohttp/_http_parser.so']) assert.ok(left.includes(word), word);
  for (const word of ['alice', 'secret-project', 'accounts']) assert.equal(left.includes(word), false, word);
});

test('addresses in text get the same stand-ins as in what the kernel says, loopback and numbers that are none stay', () => {
  const scrubber = new Scrubber();
  const [, , , last] = scrubber.ipv4(Uint8Array.of(192, 0, 2, 7));
  const text = 'from 192.0.2.7:443, [2001:db8:9::7]:80, ::ffff:192.0.2.7, 127.0.0.1, 1.2.3, 12:34:56, v1.2.3.4.5';
  const scrubbed = scrubber.text(text);
  assert.equal(
    scrubbed,
    `from 10.1.0.${last}:443, [2001:db8::1]:80, ::ffff:10.1.0.${last}, 127.0.0.1, 1.2.3, 12:34:56, v1.2.3.4.5`,
  );
  assert.equal(scrubber.text(text), scrubbed);
  assert.equal(new Scrubber({ keepAddresses: true }).text('192.0.2.7'), '192.0.2.7');
});

test('home directories and mail addresses in text get stand-ins, the same ones the same', () => {
  const scrubbed = new Scrubber().text('/home/alice/app.py /home/alice/x /home/bob/y, mail alice.b@shop.example');
  assert.doesNotMatch(scrubbed, /alice|bob|shop\.example/);
  const [first, second, third] = [...scrubbed.matchAll(/\/home\/([^/]+)/g)].map(([, name]) => name);
  assert.equal(first, second);
  assert.notEqual(first, third);
});

test('of an address or mail address that a page has cut, and of hosts that are called by theirs, nothing is left', () => {
  const scrubber = new Scrubber();
  assert.equal(scrubber.text('reset by 203.0.113…'), 'reset by …');
  assert.equal(scrubber.text('from 203.0.113.7…'), 'from …');
  assert.equal(scrubber.text('from fd12:3456:789a:…'), 'from …');
  assert.equal(scrubber.text('to alice@shop.ex…'), 'to …');
  assert.equal(scrubber.text('at 127.0.0…, 3 of 4…, waits…'), 'at 127.0.0…, 3 of 4…, waits…');
  assert.match(scrubber.text('ip-172-31-4-7.ec2.internal'), /^ip-10-1-0-[0-9]+\.ec2\.internal$/);
  assert.equal(new Scrubber({ keepAddresses: true }).text('203.0.113…'), '203.0.113…');
});

test('names of people and of the host are replaced as words, in either case, and what is no name stays', () => {
  const words = new Map([
    ['zebrahost.example', 'host'],
    ['zebrahost', 'host'],
    ['alice', 'user10001'],
    ['x', 'host'],
  ]);
  assert.equal(
    replaceWords('ZebraHost app: /srv/alice/x, zebrahost.example malice alice-2', words),
    'host app: /srv/user10001/x, host malice alice-2',
  );
});

test('of a command line the program, its script and the names of options stay, and nothing that they were given', () => {
  const scrubber = new Scrubber();
  const lines: [string, RegExp][] = [
    [
      '/opt/x/python3 /srv/shop/app.py --token s3cret --port=80 -psecret',
      /^python3 app\.py --token VALUE1 --port=VALUE2 -p$/,
    ],
    ['java -Xmx2g -Dpassword=s3cret -jar /srv/shop.jar', /^java -Xmx2g -Dpassword=VALUE1 -jar shop\.jar$/],
    ["curl 'https://user:s3cret@shop' -H 'Authorization: s3cret'", /^curl VALUE\d+ -H VALUE\d+$/],
    ['postgres: shop orders 192.0.2.7(1234) idle', /^postgres: VALUE\d+ VALUE\d+ VALUE\d+ VALUE\d+$/],
  ];
  for (const [line, expected] of lines) {
    const scrubbed = scrubber.command(line);
    assert.match(scrubbed, expected);
    assert.doesNotMatch(scrubbed, /secret|s3cret|192/);
  }
});
