import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../../src/model/errors.ts';
import { parseVirtualThreads } from '../../../src/parse/java/virtual-threads.ts';
import { onlyParseErrors } from '../../helpers/bytes.ts';

// 25 is of workloads/java/Inside.java virtual with three clients; 21 is written by hand, by the sources of that JDK.
const fixture = (name: string): string =>
  readFileSync(new URL(`../../../fixtures/java/virtual-threads-${name}.json`, import.meta.url), 'utf8');

test('25: virtual threads that do the same are told once, with their count', () => {
  const text = fixture('25.0.3');
  const platform = new Set(
    [...text.matchAll(/"tid": "([0-9]+)",\s+"time": "[^"]+",\s+"name"/g)].map(([, id]) => Number(id)),
  );
  const { strands, leftOut } = parseVirtualThreads(text, platform);
  assert.equal(leftOut, 0);
  assert.deepEqual([strands[0]?.name, strands[0]?.count], ['virtual threads', 3]);
  const total = strands.reduce((sum, { count = 1 }) => sum + count, 0);
  assert.equal(total, text.match(/"virtual": true/g)?.length);
  // The JDK's own, which wait for sockets.
  assert.ok(strands.slice(1).every(({ ofRuntime }) => ofRuntime));
  assert.deepEqual(strands[0]?.frames[0], {
    function: 'java.lang.VirtualThread.park',
    file: 'VirtualThread.java',
    line: 742,
    origin: 'runtime',
  });
  const own = strands[0]?.frames.find(({ origin }) => origin === 'application');
  assert.equal(own?.function, 'Inside.ask');
});

test('21: loaders and modules are no part of the name of a method, and what has no name gets its number', () => {
  const { strands } = parseVirtualThreads(fixture('21-hand-written'), new Set([1]));
  assert.deepEqual(
    strands.map(({ name }) => name),
    ['orders', 'virtual thread #30'],
  );
  assert.deepEqual(
    strands[0]?.frames.map(({ function: method, origin }) => [method, origin]),
    [
      ['java.lang.VirtualThread.park', 'runtime'],
      ['com.example.shop.Prices.fetch', 'application'],
      ['com.example.shop.Main$$Lambda/0x0000000011042210.run', 'runtime'],
    ],
  );
});

test('whatever JSON comes gives threads or a parse error', () => {
  assert.throws(() => parseVirtualThreads('{', new Set()), ParseError);
  assert.throws(() => parseVirtualThreads('null', new Set()), ParseError);
  fc.assert(fc.property(fc.json(), (text) => onlyParseErrors(() => parseVirtualThreads(text, new Set()))));
  const threads = fc.record({
    threads: fc.oneof(fc.jsonValue(), fc.array(fc.record({ tid: fc.jsonValue(), stack: fc.jsonValue() }))),
  });
  const containers = fc.oneof(fc.jsonValue(), fc.array(fc.oneof(threads, fc.jsonValue())));
  fc.assert(
    fc.property(containers, (threadContainers) => {
      onlyParseErrors(() => parseVirtualThreads(JSON.stringify({ threadDump: { threadContainers } }), new Set()));
    }),
  );
});
