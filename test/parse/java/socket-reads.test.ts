import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { ParseError } from '../../../src/model/errors.ts';
import { readJfr } from '../../../src/parse/java/jfr.ts';
import { parseSocketReads } from '../../../src/parse/java/socket-reads.ts';
import { addSourceFiles } from '../../../src/parse/java/source-files.ts';
import { onlyParseErrors } from '../../helpers/bytes.ts';

// Recordings of workloads/java/Inside.java missing-close: seven clients send three bytes each and hang up.
const recording = (version: string): Uint8Array =>
  gunzipSync(readFileSync(new URL(`../../../fixtures/java/socket-reads-${version}.jfr.gz`, import.meta.url)));

for (const version of ['17.0.15', '25.0.3']) {
  const bytes = recording(version);
  const times: number[] = [];
  readJfr(bytes, 'jdk.SocketRead', ({ endedAt }) => times.push(endedAt / 1e6));
  const newest = Math.max(...times);

  test(`${version}: reads of an end have the peer, the thread, the line that read, and when`, () => {
    const { ends, reads, leftOut, since = 0 } = parseSocketReads(bytes, newest + 250);
    assert.ok(since < newest && since > newest - 10_000);
    assert.equal(ends.length, 7);
    assert.equal(reads, 28); // each client's three bytes one by one, and the end
    assert.equal(leftOut, 0);
    assert.equal(new Set(ends.map(({ peer }) => peer.port)).size, 7);
    assert.deepEqual(
      ends.map(({ strand }) => strand).sort(),
      Array.from({ length: 7 }, (_, i) => `missing-close-${i}`),
    );
    for (const { frames, peer, agoMs } of ends) {
      assert.equal(peer.address, '127.0.0.1');
      assert.ok(agoMs >= 250 && agoMs < 5000);
      const own = frames.filter(({ origin }) => origin === 'application').map((frame) => [frame.function, frame.line]);
      assert.deepEqual(own.slice(0, 2), [
        ['Inside.readLine', 87],
        ['Inside.session', 114],
      ]);
    }
  });

  test(`${version}: a recording that is cut short is a parse error`, () => {
    for (let length = 1; length < bytes.length; length += 997)
      assert.throws(() => parseSocketReads(bytes.slice(0, length), 0), ParseError, `the first ${length} bytes`);
  });

  test(`${version}: a recording that is broken anywhere gives reads or a parse error, in good time`, () => {
    const changes = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(changes, (list) => {
        const broken = bytes.slice();
        for (const [at, value] of list) broken[at] = value;
        onlyParseErrors(() => parseSocketReads(broken, 0));
      }),
      { numRuns: 150, interruptAfterTimeLimit: 20_000 },
    );
    const header = fc.array(fc.tuple(fc.integer({ min: 4, max: 67 }), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(header, (list) => {
        const broken = bytes.slice();
        for (const [at, value] of list) broken[at] = value;
        onlyParseErrors(() => parseSocketReads(broken, 0));
      }),
      { numRuns: 100, interruptAfterTimeLimit: 20_000 },
    );
  });
}

test('a recording without a chunk has no reads, and what is none is a parse error', () => {
  assert.deepEqual(parseSocketReads(new Uint8Array(), 0), { ends: [], reads: 0, leftOut: 0 });
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
      assert.throws(() => parseSocketReads(bytes, 0), ParseError);
    }),
  );
});

test('two chunks one behind the other give the reads of both', () => {
  const bytes = recording('17.0.15');
  const twice = new Uint8Array(bytes.length * 2);
  twice.set(bytes);
  twice.set(bytes, bytes.length);
  assert.equal(parseSocketReads(twice, 0).reads, 56);
});

test('files come from the frames of the same class in a thread dump, and only for a line', () => {
  const { ends } = parseSocketReads(recording('17.0.15'), 0);
  const frames = [{ function: 'Inside.main', file: 'Inside.java', line: 46, origin: 'application' as const }];
  const [end] = addSourceFiles(ends, [{ kind: 'thread', name: 'main', frames }]);
  const own = end?.frames.filter(({ function: name }) => name.startsWith('Inside'));
  assert.deepEqual(
    own?.map(({ file }) => file),
    ['Inside.java', 'Inside.java', undefined, 'Inside.java', 'Inside.java', undefined],
  );
  assert.ok(end?.frames.every(({ function: name, file }) => name.startsWith('Inside') || file === undefined));
});
