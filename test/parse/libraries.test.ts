import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LibraryName } from '../../src/model/process.ts';
import { type LibraryFacts, recogniseLibraries } from '../../src/parse/libraries.ts';

const facts = (fields: Partial<LibraryFacts>): LibraryFacts => ({
  name: 'app',
  argv: ['app'],
  openFiles: [],
  ...fields,
});

const JARS: [file: string, name: LibraryName, version?: string][] = [
  ['/srv/app/lib/HikariCP-5.1.0.jar', 'HikariCP', '5.1.0'],
  ['/srv/app/lib/HikariCP-java7-2.4.13.jar', 'HikariCP', '2.4.13'],
  ['/srv/app/lib/httpclient5-5.2.1.jar', 'Apache HttpClient 5', '5.2.1'],
  ['/usr/share/java/httpclient-4.5.14.jar', 'Apache HttpClient 4', '4.5.14'],
  ['/usr/share/java/httpclient.jar', 'Apache HttpClient 4'],
  ['/srv/app/lib/okhttp-4.12.0.jar', 'OkHttp', '4.12.0'],
  ['/srv/app/lib/okhttp-jvm-5.0.0-alpha.14.jar', 'OkHttp', '5.0.0-alpha.14'],
  ['/srv/app/lib/netty-transport-4.1.100.Final.jar', 'Netty', '4.1.100.Final'],
  ['/srv/app/lib/reactor-netty-http-1.1.13.jar', 'Reactor Netty', '1.1.13'],
  ['/srv/app/lib/tomcat-embed-core-10.1.16.jar', 'Tomcat', '10.1.16'],
  ['/usr/share/tomcat9/lib/catalina.jar', 'Tomcat'],
  ['/srv/jetty/lib/jetty-server-12.0.5.jar', 'Jetty', '12.0.5'],
  ['/usr/share/java/commons-pool2-2.11.1.jar', 'Commons Pool', '2.11.1'],
  ['/srv/app/lib/HikariCP-5.1.0.jar (deleted)', 'HikariCP', '5.1.0'],
];

for (const [file, name, version] of JARS) {
  test(`${file} that is open is ${name}`, () => {
    const openFiles = ['/dev/null', 'socket:[77]', file.replace(' (deleted)', '')];
    assert.deepEqual(recogniseLibraries(facts({ openFiles })), [{ name, ...(version !== undefined && { version }) }]);
  });
}

test('jars of the class path on the command line count as well, in every spelling of the option', () => {
  const path = '/srv/lib/okhttp-4.12.0.jar:/srv/lib/other.jar';
  for (const argv of [
    ['java', '-cp', path, 'Main'],
    ['java', '-classpath', path, 'Main'],
    ['java', `--class-path=${path}`, 'Main'],
    ['java', '-jar', '/srv/lib/okhttp-4.12.0.jar'],
  ]) {
    assert.deepEqual(recogniseLibraries(facts({ argv })), [{ name: 'OkHttp', version: '4.12.0' }]);
  }
});

test('a jar that is only an argument of the program is not on its class path', () => {
  assert.deepEqual(recogniseLibraries(facts({ argv: ['java', 'Main', '/tmp/okhttp-4.12.0.jar'] })), []);
});

test('jars of other libraries with a like name are not taken for them', () => {
  const openFiles = [
    'okhttp-urlconnection-4.9.jar',
    'httpclient-cache-4.5.14.jar',
    'my-netty-all.jar',
    'jetty-util-9.jar',
  ];
  assert.deepEqual(recogniseLibraries(facts({ openFiles: openFiles.map((jar) => `/srv/lib/${jar}`) })), []);
});

test('compiled modules that are mapped tell a Python library', () => {
  const line = (path: string): string => `7f0c6d8a2000-7f0c6d8a4000 r-xp 00002000 fe:01 131 ${path}\n`;
  const site = '/srv/venv/lib/python3.11/site-packages';
  const namesOf = (...paths: string[]): string[] =>
    recogniseLibraries(facts({ maps: paths.map(line).join('') })).map(({ name }) => name);
  const normalizer = `${site}/charset_normalizer/md.cpython-311-x86_64-linux-gnu.so`;
  const aiohttp = `${site}/aiohttp/_http_parser.cpython-311-x86_64-linux-gnu.so`;
  assert.deepEqual(namesOf(normalizer), ['requests']);
  assert.deepEqual(namesOf(`${aiohttp} (deleted)`), ['aiohttp']);
  assert.deepEqual(namesOf(aiohttp, normalizer), ['aiohttp'], 'aiohttp may have loaded charset_normalizer itself');
  assert.deepEqual(namesOf(`${site}/numpy/core/_multiarray_umath.so`), []);
});

test('servers are known by their program, their script or the module that runs', () => {
  const namesOf = (fields: Partial<LibraryFacts>): string[] =>
    recogniseLibraries(facts(fields)).map(({ name }) => name);
  assert.deepEqual(namesOf({ exe: '/usr/sbin/nginx', argv: ['nginx: worker process'] }), ['nginx']);
  assert.deepEqual(namesOf({ exe: '/usr/sbin/haproxy (deleted)' }), ['HAProxy']);
  assert.deepEqual(namesOf({ name: 'haproxy' }), ['HAProxy'], 'of another user the executable may not be read');
  assert.deepEqual(namesOf({ exe: '/usr/sbin/php-fpm8.2', argv: ['php-fpm: pool www'] }), ['PHP-FPM']);
  assert.deepEqual(namesOf({ argv: ['/usr/bin/python3', '/usr/bin/gunicorn', 'app:app'] }), ['gunicorn']);
  assert.deepEqual(namesOf({ argv: ['gunicorn: worker [app]'] }), ['gunicorn']);
  assert.deepEqual(namesOf({ argv: ['python3', '-m', 'uvicorn', 'app:app'] }), ['uvicorn']);
  assert.deepEqual(
    namesOf({ argv: ['python3', '/venv/bin/gunicorn', '-k', 'uvicorn.workers.UvicornWorker', 'app:app'] }).sort(),
    ['gunicorn', 'uvicorn'],
  );
  assert.deepEqual(namesOf({ argv: ['java', 'org.apache.catalina.startup.Bootstrap', 'start'] }), ['Tomcat']);
  assert.deepEqual(namesOf({ exe: '/usr/bin/vim', argv: ['vim', 'nginx.conf'] }), []);
});

test('whatever a process calls itself, each library comes once', () => {
  const word = fc.oneof(fc.string(), fc.constantFrom(...JARS.map(([file]) => file), 'gunicorn', '-cp', 'uvicorn'));
  fc.assert(
    fc.property(word, fc.array(word), fc.array(word), fc.string(), (name, argv, openFiles, maps) => {
      const names = recogniseLibraries({ name, argv, openFiles, maps }).map((it) => it.name);
      assert.equal(new Set(names).size, names.length);
    }),
  );
});
