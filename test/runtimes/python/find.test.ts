import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Mapping } from '../../../src/parse/memory-maps.ts';
import { namedVersion, pythonImage } from '../../../src/runtimes/python/find.ts';
import { findInterpreter } from '../../../src/runtimes/python/interpreter.ts';
import type { ReadableMemory } from '../../../src/runtimes/python/memory.ts';

const mapping = (path: string, offset = 0): Mapping => ({ start: 0x1000, end: 0x2000, offset, inode: 1, path });

test('a shared libpython goes before the executable, and the stable ABI library is none', () => {
  const exe = mapping('/usr/bin/uwsgi');
  const stub = mapping('/usr/lib/libpython3.so');
  const library = mapping('/usr/lib/libpython3.11.so.1.0');
  assert.equal(pythonImage([exe, stub, library], '/usr/bin/uwsgi')?.mapping, library);
  assert.equal(pythonImage([exe, stub], '/usr/bin/uwsgi')?.mapping, exe);
  assert.equal(pythonImage([mapping('/usr/lib/libc.so.6')], '/usr/bin/python3.11'), undefined);
});

test('a library that was replaced on disk since is found', () => {
  const library = mapping('/opt/python/lib/libpython3.9.so.1.0 (deleted)');
  assert.equal(pythonImage([library], undefined)?.mapping, library);
  assert.deepEqual(namedVersion(library.path ?? '', [library]), { major: 3, minor: 9 });
});

test('the version is told by the name of the file, the standard library or a compiled module', () => {
  const version = (...paths: string[]) =>
    namedVersion(
      paths[0] ?? '',
      paths.map((path) => mapping(path)),
    );
  assert.deepEqual(version('/usr/lib/libpython3.7m.so.1.0'), { major: 3, minor: 7 });
  assert.deepEqual(version('/usr/bin/python3.12'), { major: 3, minor: 12 });
  assert.deepEqual(version('/usr/bin/python2.7'), { major: 2, minor: 7 });
  assert.deepEqual(version('/opt/app/bin/server', '/opt/app/lib/python3.10/lib-dynload/_json.so'), {
    major: 3,
    minor: 10,
  });
  assert.deepEqual(version('/opt/app/server', '/opt/app/_socket.cpython-38-x86_64-linux-gnu.so'), {
    major: 3,
    minor: 8,
  });
  assert.equal(version('/opt/app/server'), undefined);
});

const NO_MEMORY = {} as ReadableMemory;

test('what is no CPython of 3.7 to 3.13 is refused, with what to do instead', () => {
  const refused = (exe: string, ...others: string[]) => {
    const gap = findInterpreter(
      812,
      NO_MEMORY,
      [exe, ...others].map((path) => mapping(path)),
      exe,
    );
    assert.ok('code' in gap);
    assert.equal(gap.code, 'INSIDE_UNSUPPORTED');
    assert.match(gap.remedy, /pid 812/);
    return gap.what;
  };
  assert.match(refused('/usr/bin/python2.7'), /Python 2\.7/);
  assert.match(refused('/opt/pypy/bin/pypy3.9', '/opt/pypy/bin/libpypy3.9-c.so'), /PyPy/);
  assert.match(refused('/usr/bin/pypy3'), /PyPy/);
});
