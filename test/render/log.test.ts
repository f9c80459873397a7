import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import type { LogEntry } from '../../src/model/log.ts';
import { renderLog } from '../../src/render/log.ts';

const SCHEMA = JSON.parse(readFileSync(new URL('../../schema/log.json', import.meta.url), 'utf8'));
const fits = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(SCHEMA);

const entry = (fields: Partial<LogEntry> = {}): LogEntry => ({
  schema: 'unclosed.log/1',
  at: '2026-11-20T03:12:44.120Z',
  run: 'a',
  command: 'relieve',
  event: 'begin',
  by: { uid: 0, user: 'root', sudo_user: 'ann', pid: 7 },
  boot: 'b',
  version: '0.1.0',
  what: { action: 'restart-unit', name: 'python3', pid: 70, unit: 'shop.service', sockets: [1, 2], evidence: '/e/1' },
  ...fields,
});
const END = entry({ event: 'end', what: { verdict: { result: 'done', text: 'pid 70 has ended' } } });

test('a run is told in two lines: when, who and what, and what came of it', () => {
  assert.equal(
    renderLog([entry(), END], 120),
    '2026-11-20T03:12:44Z  root (sudo by ann)  restart-unit · python3 pid 70 · shop.service · 2 connections\n' +
      '  done: pid 70 has ended\n  saved before: unclosed --from /e/1\n',
  );
});

test('what was begun and never ended is told so, also where another begins', () => {
  assert.match(renderLog([entry()], 100), /\n {2}broken off: how it ended is not known\n/);
  assert.match(renderLog([entry(), entry(), END], 120), /broken off.*\n.*\n.*\n {2}done: pid 70 has ended\n/);
  assert.match(renderLog([entry(), { ...END, run: 'b' }], 100), /broken off/);
});

test('changes of parameters are told with what failed', () => {
  const steps = [{ name: 'net.ipv4.tcp_retries2', before: '15', after: '8' }];
  const outcomes = [{ ...steps[0], done: false, why: 'it is read-only' }];
  const begin = entry({ command: 'tune', what: { netns: { id: 1 }, steps } });
  assert.equal(
    renderLog([begin, entry({ command: 'tune', event: 'end', what: { outcomes } })], 120),
    '2026-11-20T03:12:44Z  root (sudo by ann)  set in network namespace 1: net.ipv4.tcp_retries2 15 -> 8\n' +
      '  0 of 1 done\n  not done: net.ipv4.tcp_retries2: it is read-only\n',
  );
});

test('what another version or another hand has written never throws, and commands no terminal', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.object(), (begin, end) => {
      const text = renderLog([entry({ what: begin }), entry({ event: 'end', what: end })], 80);
      assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    }),
  );
  const hostile = { action: '\u001b[31m', name: 'a\nb', verdict: { text: '\u0007' } };
  assert.match(renderLog([entry({ what: hostile })], 80), /\\x1b\[31m · a\\x0ab/);
});

test('lines of the log fit their schema', () => {
  for (const it of [entry(), END, entry({ by: { uid: 1000, pid: 5 } })])
    assert.ok(fits(it), JSON.stringify(fits.errors));
  assert.equal(fits({ ...END, event: 'middle' }), false);
});
