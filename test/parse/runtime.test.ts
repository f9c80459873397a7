import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Runtime } from '../../src/model/process.ts';
import { detectRuntime, needsMaps, type RuntimeFacts } from '../../src/parse/runtime.ts';

const PROGRAMS: [exe: string, runtime: Runtime][] = [
  ['/usr/lib/jvm/java-21-openjdk-amd64/bin/java', 'java'],
  ['/home/app/.nvm/versions/node/v22.18.0/bin/node', 'node'],
  ['/usr/bin/nodejs', 'node'],
  ['/usr/bin/python3.11', 'python'],
  ['/usr/local/bin/python3.13t', 'python'],
  ['/usr/bin/python3-dbg', 'python'],
  ['/opt/pypy/bin/pypy3.10', 'python'],
  ['/usr/bin/ruby3.1', 'ruby'],
  ['/usr/sbin/php-fpm8.2', 'php'],
  ['/usr/bin/php', 'php'],
  ['/usr/bin/php82', 'php'],
  ['/usr/bin/perl', 'perl'],
  ['/usr/bin/perl5.36-x86_64-linux-gnu', 'perl'],
  ['/usr/share/dotnet/dotnet', 'dotnet'],
  ['/usr/bin/python3.11 (deleted)', 'python'],
  ['/usr/sbin/nginx', 'native'],
];

const LIBRARIES: [file: string, runtime: Runtime][] = [
  ['/usr/lib/jvm/java-17/lib/server/libjvm.so', 'java'],
  ['/opt/ibm/java/jre/lib/amd64/default/libj9vm29.so', 'java'],
  ['/usr/lib/x86_64-linux-gnu/libnode.so.108', 'node'],
  ['/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0', 'python'],
  ['/usr/local/lib/libpython3.13t.so.1.0', 'python'],
  ['/usr/lib/x86_64-linux-gnu/libruby-3.1.so.3.1.2', 'ruby'],
  ['/usr/lib/apache2/modules/libphp8.2.so', 'php'],
  ['/usr/lib/x86_64-linux-gnu/libperl.so.5.36.0', 'perl'],
  ['/opt/app/libcoreclr.so', 'dotnet'],
  ['/opt/app/System.Private.CoreLib.dll', 'dotnet'],
  ['/memfd:doublemapper (deleted)', 'dotnet'],
  ['/usr/lib/jvm/java-17/lib/server/libjvm.so (deleted)', 'java'],
];

const maps = (...files: string[]) =>
  ['/opt/app/server', ...files, '/usr/lib/x86_64-linux-gnu/libc.so.6', '[stack]']
    .map((file) => `7f1c2a000000-7f1c2a028000 r-xp 00000000 08:01 1048602                    ${file}\n`)
    .join('');

const facts = (exe: string, more: Partial<RuntimeFacts> = {}): RuntimeFacts => ({ exe, name: 'x', argv: [], ...more });

for (const [exe, runtime] of PROGRAMS)
  test(`${exe} is ${runtime} by its name`, () => {
    assert.equal(detectRuntime(facts(exe)), runtime);
    assert.equal(needsMaps(facts(exe)), false);
  });

for (const [file, runtime] of LIBRARIES)
  test(`a program that maps ${file} is ${runtime}`, () => {
    assert.equal(detectRuntime(facts('/opt/app/server', { maps: maps(file) })), runtime);
  });

test('a name that only begins like a runtime decides nothing', () => {
  for (const exe of [
    '/usr/bin/javac',
    '/usr/bin/node_exporter',
    '/usr/bin/pythonista',
    '/usr/bin/perlbal',
    '/opt/rubyist',
  ]) {
    assert.equal(needsMaps(facts(exe)), true, exe);
    assert.equal(detectRuntime(facts(exe, { maps: maps() })), 'native', exe);
  }
});

test('libraries with similar names decide nothing', () => {
  for (const file of ['/lib/libnode_api.so', '/lib/libjvm.so.txt', '/lib/libperlite.so', '/lib/libpython.txt'])
    assert.equal(detectRuntime(facts('/opt/app/server', { maps: maps(file) })), 'native', file);
});

test('nginx stays native whatever its plugins load', () => {
  assert.equal(detectRuntime(facts('/usr/sbin/nginx', { maps: maps('/usr/lib/libperl.so.5.36') })), 'native');
});

test('a Go binary is known by its head, but a mapped interpreter goes first', () => {
  const exeHead = new Uint8Array(4096);
  exeHead.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  exeHead[32] = 64;
  exeHead[54] = 56;
  exeHead[56] = 1;
  exeHead[64] = 6; // PT_PHDR
  exeHead[64 + 49] = 0x10; // p_align 4096
  assert.equal(detectRuntime(facts('/usr/bin/caddy', { maps: maps(), exeHead })), 'go');
  assert.equal(detectRuntime(facts('/usr/bin/caddy', { maps: maps('/lib/libpython3.11.so.1.0'), exeHead })), 'python');
});

test('without the executable the arguments and the name decide, and else nothing is known', () => {
  assert.equal(detectRuntime({ name: 'MainThread', argv: ['/usr/bin/node', 'server.js'] }), 'node');
  assert.equal(detectRuntime({ name: 'java', argv: [] }), 'java');
  assert.equal(detectRuntime({ name: 'kworker/0:1', argv: [] }), undefined);
  assert.equal(detectRuntime({ name: 'nginx', argv: ['nginx: worker process'] }), undefined);
});

test('arbitrary facts give an answer', () => {
  const record = fc.record(
    {
      exe: fc.string(),
      name: fc.string(),
      argv: fc.array(fc.string()),
      maps: fc.string(),
      exeHead: fc.uint8Array(),
    },
    { requiredKeys: ['name', 'argv'] },
  );
  fc.assert(
    fc.property(record, (input) => {
      const runtime = detectRuntime(input);
      assert.ok(runtime !== undefined || (input.exe === undefined && needsMaps(input)));
    }),
  );
});

test('a maps file of 60,000 lines is read at once', () => {
  const started = performance.now();
  detectRuntime(facts('/opt/app/server', { maps: maps(...Array(60_000).fill('/lib/libpython/libruby/libnode.so.x')) }));
  assert.ok(performance.now() - started < 2000);
});
