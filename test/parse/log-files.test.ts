import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRotated, isText, isWritten, mayBeLog } from '../../src/parse/log-files.ts';

test('a descriptor is written to when its flags say so', () => {
  assert.equal(isWritten('pos:\t0\nflags:\t02102001\n'), true);
  assert.equal(isWritten('pos:\t0\nflags:\t0100002\n'), true);
  assert.equal(isWritten('pos:\t0\nflags:\t0100000\n'), false);
  assert.equal(isWritten(''), false);
});

test('logs are known by their name or their folder, and databases are none', () => {
  for (const path of [
    '/srv/app/app.log',
    '/var/log/nginx/access',
    '/srv/catalina.out',
    '/srv/logs/today',
    '/tmp/err.txt',
  ])
    assert.equal(mayBeLog(path), true, path);
  for (const path of [
    '/srv/data/000012.ldb',
    '/srv/app/login.db',
    '/var/lib/pg/pg_wal/000000010000000000000001',
    '/srv/blog.sqlite3-wal',
    'pipe:[12]',
    '/srv/app/data.txt',
  ])
    assert.equal(mayBeLog(path), false, path);
});

test('older parts of a log are known by what stands behind or within its name', () => {
  for (const name of ['app.log.1', 'app.log.2.gz', 'app.log-20260102', 'app.2026-01-02.log', 'app-1.log'])
    assert.equal(isRotated(name, 'app.log'), true, name);
  for (const name of ['app.log', 'apple.log', 'application.log', 'app.logx', 'other.log.1'])
    assert.equal(isRotated(name, 'app.log'), false, name);
});

test('what has a NUL in its beginning is no text', () => {
  assert.equal(isText(Buffer.from('hello\n')), true);
  assert.equal(isText(Buffer.from('SQLite format 3\0')), false);
});
