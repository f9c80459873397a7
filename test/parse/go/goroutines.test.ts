import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../../src/model/errors.ts';
import type { Strand } from '../../../src/model/inside.ts';
import { parseGoroutines } from '../../../src/parse/go/goroutines.ts';

const fixture = (name: string): string =>
  readFileSync(new URL(`../../../fixtures/go/${name}`, import.meta.url), 'utf8');
const origins = ({ frames }: Strand): string[] => frames.map(({ function: name, origin }) => `${origin} ${name}`);

test('goroutines of Go 1.19 with equal stacks are one, with what each waits for and who made it', () => {
  const [leak] = parseGoroutines(fixture('go1.19.txt'));
  assert.deepEqual(leak, {
    kind: 'goroutine',
    state: 'chan receive',
    count: 5,
    frames: [{ function: 'main.handle', file: '/src/shop/main.go', line: 19, origin: 'application' }],
    createdBy: { function: 'main.main', file: '/src/shop/main.go', line: 32, origin: 'application' },
  });
});

test('every frame of a program that uses only the standard library is of the runtime, or of main', () => {
  for (const strand of parseGoroutines(fixture('go1.19.txt')))
    for (const { function: name, origin } of strand.frames)
      assert.equal(origin, name.startsWith('main.') ? 'application' : 'runtime', name);
});

test('of Go 1.24 with short paths: minutes, threads, elided frames, the goroutine that made it, type arguments', () => {
  const build = { version: 'go1.24.1', module: 'shop.example/api', dependencies: ['github.com/labstack/echo/v4'] };
  const strands = parseGoroutines(fixture('go1.24.txt'), build);
  assert.deepEqual(
    strands.map(({ state, count, sinceMs }) => [state, count, sinceMs]),
    [
      ['chan receive (nil chan)', 2, 9 * 60_000],
      ['IO wait', undefined, 312 * 60_000],
      ['running', undefined, undefined],
      ['sync.Mutex.Lock', undefined, undefined],
    ],
  );
  const [leak, main, running, vendored] = strands;
  assert.ok(leak && main && running && vendored);
  assert.deepEqual(origins(leak), [
    'application shop.example/api/orders.Handle',
    'library github.com/labstack/echo/v4.(*Echo).ServeHTTP',
    'library gopkg.in/yaml%2ev3.(*Decoder).Decode',
  ]);
  assert.equal(leak.createdBy?.function, 'net/http.(*Server).Serve');
  assert.equal(leak.createdBy?.origin, 'runtime');
  assert.deepEqual(origins(main).slice(0, 4), [
    'runtime runtime.gopark',
    'runtime internal/poll.runtime_pollWait',
    'runtime net.(*netFD).accept',
    'application shop.example/api/server.(*Server[...]).Serve',
  ]);
  assert.deepEqual([running.frames, running.createdBy?.line], [[], 7]);
  assert.equal(vendored.frames.length, 1);
});

test('a module whose name has no dot is the program, not the standard library', () => {
  const text =
    'goroutine 7 [select]:\nshop/db.Query()\n\t/src/shop/db/query.go:3 +0x1\nnet/shop.Dial()\n\t/work/net/shop/dial.go:4 +0x1\n';
  const [strand] = parseGoroutines(text, { version: 'go1.22', module: 'shop', dependencies: [] });
  assert.deepEqual(strand && origins(strand), ['application shop/db.Query', 'application net/shop.Dial']);
});

test('a text without a goroutine is a ParseError', () => {
  for (const text of ['', '<html>404', 'goroutine profile: total 7\n', 'goroutine x [running]:'])
    assert.throws(() => parseGoroutines(text), ParseError);
});

test('10,000 goroutines are read at once, and a cut profile up to where it was cut', () => {
  const one = fixture('go1.24.txt').split('\n\n')[1] ?? '';
  const many = Array.from({ length: 10_000 }, (_, i) => one.replace('35', String(i + 1))).join('\n\n');
  const began = performance.now();
  assert.equal(parseGoroutines(many)[0]?.count, 10_000);
  assert.ok(performance.now() - began < 2000);
  assert.ok(parseGoroutines(many.slice(0, many.length / 2)).length >= 1);
});

test('any text is goroutines or a ParseError', () => {
  const line = fc.oneof(
    fc.constantFrom(...fixture('go1.24.txt').split('\n')),
    fc.string(),
    fc.string().map((text) => `goroutine 1 [${text}]:`),
    fc.string().map((text) => `\t${text}:12 +0x1`),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 60 }), (lines) => {
      try {
        for (const { frames, count = 1 } of parseGoroutines(lines.join('\n')))
          assert.ok(count >= 1 && frames.length <= 200);
      } catch (error) {
        assert.ok(error instanceof ParseError);
      }
    }),
  );
});
