import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../../src/model/errors.ts';
import type { Frame } from '../../../src/model/inside.ts';
import { parseReport } from '../../../src/parse/node/report.ts';

const at = (line: number, file = '/srv/app.js'): Frame => ({ function: 'f', file, line, origin: 'application' });
const STREAM = { flowing: true, paused: false, length: 0, ended: false, readers: 0 };
const report = (row: object, more: object = {}): string =>
  JSON.stringify({ rows: [{ type: 'Socket', fd: 7, stream: STREAM, ...row }], texts: [], ...more });
const only = (text: string, places: (Frame | undefined)[] = []) => parseReport(text, places).objects[0];

test('what a runtime does not tell is absent', () => {
  assert.deepEqual(only(JSON.stringify({ rows: [{}] })), { type: 'net.Socket' });
});

test('an IPv4 address that is written as IPv6 is an IPv4 address', () => {
  const row = { peer: { address: '::ffff:192.0.2.7', port: 80 }, local: { address: '2001:db8::1', port: 9 } };
  assert.deepEqual(only(report(row))?.peer, { address: '192.0.2.7', port: 80 });
  assert.deepEqual(only(report(row))?.local, { address: '2001:db8::1', port: 9 });
});

test('a stream that is read by its event readable is not paused, and one that nobody reads was never read', () => {
  const stream = { ...STREAM, flowing: false, paused: true };
  assert.equal(only(report({ stream: { ...stream, readers: 1 } }))?.paused, false);
  assert.equal(only(report({ stream }))?.paused, true);
  assert.equal(only(report({ stream: { ...STREAM, flowing: null } }))?.neverRead, true);
  assert.equal(only(report({ stream: { ...STREAM, flowing: null, readers: 1 } }))?.neverRead, undefined);
});

test('of a socket below TLS or HTTP/2 nothing is told of reading, and of one with a parser only the end', () => {
  const stream = { ...STREAM, flowing: null };
  assert.deepEqual(only(report({ stream, consumed: 'layer', allowHalfOpen: true })), { type: 'net.Socket', fd: 7 });
  assert.deepEqual(only(report({ stream, consumed: 'parser' })), {
    type: 'net.Socket',
    fd: 7,
    endDelivered: false,
    bufferedBytes: 0,
  });
});

test('handlers of the runtime are left out', () => {
  const handlers = [
    ['end', 0, 0],
    ['end', 1, 1],
  ];
  const places: Frame[] = [{ function: 'onend', file: 'node:net', line: 1, origin: 'runtime' }, at(3)];
  assert.deepEqual(only(report({ handlers }, { texts: [[0], [1]] }), places)?.handlers, [
    { event: 'end', place: at(3) },
  ]);
});

test('a function of which only the text is known stands where all of that text do, or nowhere', () => {
  const handlers = [['end', 0, -1]];
  const texts = [[0, 1]];
  assert.deepEqual(only(report({ handlers }, { texts }), [at(3), at(3)])?.handlers, [{ event: 'end', place: at(3) }]);
  assert.equal(only(report({ handlers }, { texts }), [at(3), at(4)])?.handlers, undefined);
  assert.equal(only(report({ handlers }, { texts }), [at(3), undefined])?.handlers, undefined);
  assert.equal(only(report({ handlers }, { texts: [[]] }), [])?.handlers, undefined);
});

test('pools tell their use and their bounds, and those without connections are left out', () => {
  const agents = [
    { name: 'http.globalAgent', used: 1, idle: 2, waiting: 3, keepAlive: true, maxSockets: 4, timeoutMs: 5000 },
    { name: 'https.globalAgent', used: 0, idle: 0, waiting: 0 },
  ];
  assert.deepEqual(parseReport(report({}, { agents }), []).pools, [
    {
      name: 'http.globalAgent',
      detail: '1 in use, 2 idle, 3 requests wait for one, keepAlive true, maxSockets 4, timeout 5000 ms',
    },
  ]);
});

test('sockets that were found and not read are counted', () => {
  assert.equal(parseReport(report({}, { found: 12 }), []).left, 11);
});

test('a report that is no JSON is an error that was expected', () => {
  assert.throws(() => parseReport('{"rows":', []), ParseError);
});

test('whatever a program answers, there is a report', () => {
  fc.assert(fc.property(fc.json(), (text) => Array.isArray(parseReport(text, []).objects)));
  const odd = fc.oneof(fc.jsonValue(), fc.constantFrom(null, -1, Number.MAX_VALUE, '', [], {}));
  const row = fc.record(
    { type: odd, fd: odd, local: odd, stream: odd, response: odd, consumed: odd, pool: odd, handlers: odd },
    { requiredKeys: [] },
  );
  const handlers = fc.array(fc.tuple(odd, fc.integer(), fc.integer()));
  fc.assert(
    fc.property(fc.array(row), handlers, odd, odd, (rows, list, texts, agents) => {
      const text = JSON.stringify({ rows: [...rows, { handlers: list }], texts, agents });
      assert.equal(parseReport(text, [at(1)]).objects.length, rows.length + 1);
    }),
  );
});
