import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { ParseError } from '../../../src/model/errors.ts';
import { parseAddressText } from '../../../src/parse/java/address-text.ts';
import { attachRequest, parseAttachAnswer } from '../../../src/parse/java/attach-answer.ts';
import { disablesAttach } from '../../../src/parse/java/attach-options.ts';
import { attachSockets } from '../../../src/parse/java/attach-sockets.ts';
import { parseHistogram } from '../../../src/parse/java/histogram.ts';
import { parseHsperfdata } from '../../../src/parse/java/hsperfdata.ts';
import { isRepository, lacksRecorder, repositoryOf, runningRecordings } from '../../../src/parse/java/jfr-reply.ts';
import { parseJvmMaps } from '../../../src/parse/java/jvm-maps.ts';
import { originOf } from '../../../src/parse/java/origin.ts';
import { everyTruncationFails, onlyParseErrors } from '../../helpers/bytes.ts';

const fixture = (name: string): Buffer => readFileSync(new URL(`../../../fixtures/java/${name}`, import.meta.url));

test('hsperfdata tells the version, whether attaching is allowed, and how many threads there are', () => {
  for (const version of ['17.0.15', '25.0.3']) {
    const perf = parseHsperfdata(gunzipSync(fixture(`hsperfdata-${version}.gz`)));
    assert.equal(perf.get('java.property.java.version'), version);
    assert.match(String(perf.get('sun.rt.jvmCapabilities')), /^1/);
    assert.match(String(perf.get('sun.rt.javaCommand')), /^Inside deadlock/);
    assert.ok(Number(perf.get('java.threads.live')) > 5);
    assert.equal(perf.get('sun.os.hrt.frequency'), 1_000_000_000n);
  }
});

test('hsperfdata that is cut short or broken is a parse error', () => {
  const bytes = gunzipSync(fixture('hsperfdata-17.0.15.gz'));
  everyTruncationFails(bytes.subarray(0, 400), parseHsperfdata);
  const changes = fc.array(fc.tuple(fc.nat(4000), fc.nat(255)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(changes, (list) => {
      const broken = Uint8Array.from(bytes);
      for (const [at, value] of list) broken[at] = value;
      onlyParseErrors(() => parseHsperfdata(broken));
    }),
    { numRuns: 500 },
  );
});

test('a class histogram counts objects by class', () => {
  const classes = parseHistogram(fixture('class-histogram-17.0.15.txt').toString());
  assert.equal(classes.get('Inside$Session'), 7);
  assert.equal(classes.get('java.net.Socket'), 8);
  assert.throws(() => parseHistogram('Operation inspectheap not recognized!'), ParseError);
  // JDK 8 names no modules.
  assert.equal(parseHistogram('   1:          1411        3891024  [I\n').get('[I'), 1411);
});

test('maps tell HotSpot from OpenJ9 and from what is no JVM, and where hsperfdata lies', () => {
  const line = (path: string): string => `7f00-7f01 r-xp 00000000 08:01 42                         ${path}\n`;
  assert.deepEqual(parseJvmMaps(line('/usr/lib/jvm/a/lib/server/libjvm.so')), { kind: 'hotspot' });
  assert.deepEqual(parseJvmMaps(`${line('/opt/j9/libjvm.so')}${line('/opt/j9/libj9vm29.so')}`), { kind: 'openj9' });
  assert.deepEqual(parseJvmMaps(line('/usr/bin/native')), {});
  assert.equal(parseJvmMaps(line('/tmp/hsperfdata_shop/12')).perfFile, '/tmp/hsperfdata_shop/12');
  assert.equal(parseJvmMaps(line('/tmp/hsperfdata_shop/12 (deleted)')).perfFile, undefined);
});

test('options forbid attaching, the last one holds, and files leave it open', () => {
  const off = '-XX:+DisableAttachMechanism';
  assert.equal(disablesAttach(['java', 'Shop'], []), false);
  assert.equal(disablesAttach(['java', off, 'Shop'], []), true);
  assert.equal(disablesAttach(['java', off, '-XX:-DisableAttachMechanism', 'Shop'], []), false);
  assert.equal(disablesAttach(['java', 'Shop'], ['HOME=/', `JAVA_TOOL_OPTIONS=-Xmx1g ${off}`]), true);
  assert.equal(disablesAttach(['java', '@options'], []), undefined);
  assert.equal(disablesAttach(['java', '@options', off], []), true);
});

test('a request has five words, and an answer a number first', () => {
  assert.equal(new TextDecoder().decode(attachRequest('threaddump', '-l')), '1\0threaddump\0-l\0\0\0');
  const answer = (text: string): object => parseAttachAnswer(new TextEncoder().encode(text));
  assert.deepEqual(answer('0\nall\nof it'), { code: 0, text: 'all\nof it' });
  assert.deepEqual(answer('-1\nno'), { code: -1, text: 'no' });
  assert.throws(() => answer(''), ParseError);
  assert.throws(() => answer('Full thread dump'), ParseError);
});

test('the socket of a JVM is found by its name, before and after it was renamed', () => {
  const text = `Num       RefCount Protocol Flags    Type St Inode Path
00000000b8ed0b94: 00000002 00000000 00010000 0001 01 738546 /tmp/.java_pid3.tmp
00000000b8ed0b95: 00000002 00000000 00010000 0001 01 738547 /tmp/.java_pid3
00000000b8ed0b96: 00000002 00000000 00010000 0001 01 738548 /tmp/.java_pid31
00000000b8ed0b97: 00000003 00000000 00000000 0001 03 738549
`;
  assert.deepEqual(attachSockets(text, 3), [738_546, 738_547]);
});

test('recordings that run are told by name', () => {
  assert.deepEqual(runningRecordings('No available recordings.\n\nUse jcmd 1 JFR.start to start a recording.\n'), []);
  const text = `Recording 1: name=unclosed maxsize=20.0MB (running)
Recording 2: name=my own duration=30s (delayed)
Recording 3: name=old maxsize=250.0MB (stopped)
`;
  assert.deepEqual(runningRecordings(text), ['unclosed', 'my own']);
  assert.equal(lacksRecorder('java.lang.IllegalArgumentException: Unknown diagnostic command'), true);
  assert.equal(lacksRecorder('Could not start recording, not able to write to file'), false);
});

test('only a directory that JFR named for this JVM is taken for its repository', () => {
  const properties = 'java.version=17.0.15\njdk.jfr.repository=/tmp/2026_11_26_21_36_59_16676\n';
  assert.equal(repositoryOf(properties), '/tmp/2026_11_26_21_36_59_16676');
  assert.equal(repositoryOf('java.version=17'), undefined);
  assert.equal(isRepository('/tmp/2026_11_26_21_36_59_16676', 16_676), true);
  assert.equal(isRepository('/tmp/2026_11_26_21_36_59_16676', 6676), false);
  assert.equal(isRepository('/var/lib/jfr', 16_676), false);
});

test('addresses of java.net.InetAddress become those of sockets', () => {
  assert.equal(parseAddressText('127.0.0.1'), '127.0.0.1');
  assert.equal(parseAddressText('0:0:0:0:0:0:0:1%lo'), '::1');
  assert.equal(parseAddressText('2001:db8:0:0:0:0:0:5'), '2001:db8::5');
});

test('code is that of the JDK, of a library, or the program’s own', () => {
  const expected = {
    'java.lang.Thread.run': 'runtime',
    'sun.nio.ch.NioSocketImpl.read': 'runtime',
    'com.sun.mail.imap.IMAPStore': 'library',
    'org.springframework.web.servlet.DispatcherServlet.doService': 'library',
    'io.netty.channel.nio.NioEventLoop.run': 'library',
    'io.nettycool.Shop.run': 'application',
    'com.example.shop.Prices.fetch': 'application',
    'Inside.ask': 'application',
    'Inside$$Lambda$1/0x00007faa50000c08.handle': 'runtime',
  };
  for (const [name, origin] of Object.entries(expected)) assert.equal(originOf(name), origin, name);
});
