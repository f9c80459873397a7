import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseLineTime } from '../../src/parse/log-time.ts';

const NEAR = Date.UTC(2026, 10, 20, 4, 0, 0);
const AT = Date.UTC(2026, 10, 20, 3, 12, 44);
const parse = (line: string) => parseLineTime(line, NEAR);

for (const [what, line, ms, zoned] of [
  ['ISO 8601 with a zone', '2026-11-20T05:12:44.120+02:00 INFO started', AT + 120, true],
  ['ISO 8601 in UTC', '{"@timestamp":"2026-11-20T03:12:44.123456789Z","level":"warn"}', AT + 123, true],
  ['log4j and Python', '2026-11-20 03:12:44,120 WARN [main] x', AT + 120, false],
  ["nginx's error log and Go", '2026/11/20 03:12:44 [error] 811#811: *7 x', AT, false],
  ['PostgreSQL', '2026-11-20 03:12:44.120 UTC [812] LOG:  x', AT + 120, true],
  ['gunicorn', '[2026-11-20 03:12:44 +0000] [812] [INFO] x', AT, true],
  ['access logs', '192.0.2.7 - - [19/Nov/2026:20:12:44 -0700] "GET / HTTP/1.1" 200 1', AT, true],
  ['PHP', '[20-Nov-2026 03:12:44 UTC] PHP Warning:  x', AT, true],
  ['Tomcat', '20-Nov-2026 03:12:44.120 SEVERE [x] y', AT + 120, false],
  ['Redis', '812:M 20 Nov 2026 03:12:44.120 # x', AT + 120, false],
  ['ctime', 'Fri Nov 20 03:12:44 2026 - x', AT, false],
  ['Apache httpd', '[Fri Nov 20 03:12:44.120456 2026] [core:error] x', AT + 120, false],
  ['java.util.logging', 'Nov 20, 2026 3:12:44 AM org.example.Main run', AT, false],
  ['syslog', 'Nov 20 03:12:44 db-1 app[812]: x', AT, false],
  ['klog', 'E1120 03:12:44.120000    1 main.go:7] x', AT + 120, false],
  ['seconds since 1970', `${AT / 1000}.25 x`, AT + 250, true],
  ['milliseconds in JSON', `{"level":50,"time":${AT + 7},"msg":"x"}`, AT + 7, true],
  ['seconds in JSON', `{"level":"error","ts":${AT / 1000}.5,"msg":"x"}`, AT + 500, true],
] as const) {
  test(`${what}: ${line}`, () => assert.deepEqual(parse(line), { ms, zoned }));
}

test('without a year it is the last such day', () => {
  assert.equal(parse('Dec 31 23:00:00 db-1 x')?.ms, Date.UTC(2025, 11, 31, 23));
  assert.equal(parse('Nov 20 23:00:00 db-1 x')?.ms, Date.UTC(2026, 10, 20, 23)); // later today: another zone
  assert.equal(parse('Feb 29 10:00:00 db-1 x')?.ms, Date.UTC(2026, 1, 29, 10));
});

test('a number, a version, a date that cannot be, or one in the future is no time', () => {
  for (const line of [
    'started 10.0.1.2',
    '2026-13-40 03:12:44 x',
    '4711 orders',
    'valid until 2031-01-01 00:00:00',
    '17678564449 x',
    '',
  ])
    assert.equal(parse(line), undefined, line);
});

test('every time comes back as it was written', () => {
  const times = fc.integer({ min: Date.UTC(2001, 8, 10), max: NEAR }).map((ms) => Math.floor(ms / 1000) * 1000);
  fc.assert(
    fc.property(times, (ms) => {
      const iso = new Date(ms).toISOString();
      assert.equal(parse(iso)?.ms, ms);
      assert.equal(parse(`x ${iso.slice(0, 19).replace('T', ' ')} y`)?.ms, ms);
      assert.equal(parse(`${ms / 1000} x`)?.ms, ms);
    }),
  );
});

test('any text has a time or none', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (text) => {
      const time = parse(text);
      assert.ok(time === undefined || Number.isSafeInteger(time.ms));
    }),
  );
});
