import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame, Strand } from '../../../src/model/inside.ts';
import { originOf } from '../../../src/parse/java/origin.ts';
import { recognisePools } from '../../../src/parse/java/pools.ts';
import { type Counted, tellingClasses } from '../../../src/parse/java/telling-classes.ts';

const thread = (name: string, state: string, ...methods: string[]): Strand => ({
  kind: 'thread',
  name,
  state,
  frames: methods.map((method): Frame => ({ function: method, origin: originOf(method) })),
});

const counted = (classes: { [name: string]: number }, stuck?: number): Counted => ({
  classes: new Map(Object.entries(classes)),
  ...(stuck !== undefined && { stuck }),
});

test('threads that wait for a connection of a pool name it', () => {
  const waiting = thread(
    'http-1',
    'TIMED_WAITING',
    'jdk.internal.misc.Unsafe.park',
    'com.zaxxer.hikari.util.ConcurrentBag.borrow',
    'com.zaxxer.hikari.pool.HikariPool.getConnection',
    'com.example.shop.Orders.all',
  );
  assert.deepEqual(recognisePools([waiting, waiting], []), [
    { name: 'HikariCP', detail: '2 threads wait in it for a connection' },
  ]);
});

test('a thread that waits for an answer over a new connection does not wait for one', () => {
  const connecting = thread(
    'http-1',
    'WAITING',
    'java.lang.Object.wait',
    'org.postgresql.core.v3.ConnectionFactoryImpl.open',
    'com.zaxxer.hikari.pool.HikariPool.getConnection',
  );
  const running = thread('http-2', 'RUNNABLE', 'com.zaxxer.hikari.pool.HikariPool.getConnection');
  assert.deepEqual(recognisePools([connecting, running], []), []);
});

test('a pool is known by a thread of its own, and by its objects', () => {
  assert.deepEqual(recognisePools([thread('HikariPool-1 housekeeper', 'TIMED_WAITING')], []), [{ name: 'HikariCP' }]);
  const classes = [
    { name: 'org.apache.http.impl.conn.PoolingHttpClientConnectionManager', count: 1 },
    { name: 'org.apache.http.impl.conn.CPoolEntry', count: 13 },
  ];
  assert.deepEqual(recognisePools([], classes), [
    {
      name: 'Apache HttpClient 4',
      detail: '1 org.apache.http.impl.conn.PoolingHttpClientConnectionManager, 13 org.apache.http.impl.conn.CPoolEntry',
    },
  ]);
  assert.deepEqual(
    recognisePools([thread('main', 'RUNNABLE', 'Shop.main')], [{ name: 'java.net.Socket', count: 4 }]),
    [],
  );
});

test('classes that grew as the stuck sockets did are told beside those of sockets', () => {
  const before = counted({ 'java.net.Socket': 10, 'com.example.Session': 8, 'com.example.Order': 100 }, 5);
  const after = counted(
    { 'java.net.Socket': 50, 'com.example.Session': 49, 'com.example.Order': 190, 'java.lang.String': 40, '[B': 40 },
    45,
  );
  assert.deepEqual(tellingClasses(before, after), [
    { name: 'java.net.Socket', count: 50, change: 40 },
    { name: 'com.example.Session', count: 49, change: 41 },
  ]);
});

test('without growth of the stuck sockets no class is suspected, and without a second look nothing changed', () => {
  const before = counted({ 'java.net.Socket': 10, 'com.example.Session': 8 }, 5);
  assert.deepEqual(tellingClasses(before, counted({ 'com.example.Session': 12 }, 9)), []);
  assert.deepEqual(tellingClasses(before, counted({ 'com.example.Session': 12 })), []);
  assert.deepEqual(tellingClasses(before, undefined), [{ name: 'java.net.Socket', count: 10 }]);
});
