import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Answer, Tape } from '../../src/kernel/tape.ts';
import { SystemError } from '../../src/model/errors.ts';

const text = (it: string): Answer => ({ bytes: Buffer.from(it) });

function tapeOf(...answers: Answer[]): Tape {
  const tape = new Tape();
  for (const answer of answers) tape.add('q', answer);
  return tape;
}

test('answers come in the order in which they were given, and the last one again after that', () => {
  const tape = tapeOf(text('a'), text('b'));
  assert.deepEqual(
    [1, 2, 3, 4].map(() => Buffer.from(tape.next('q')).toString()),
    ['a', 'b', 'b', 'b'],
  );
});

test('a refusal is thrown with its errno, in its turn', () => {
  const tape = tapeOf(text('a'), { refused: 'EACCES' }, text('c'));
  tape.next('q');
  assert.throws(
    () => tape.next('q'),
    (error) => error instanceof SystemError && error.code === 'EACCES',
  );
  assert.equal(Buffer.from(tape.next('q')).toString(), 'c');
});

test('a question that was never asked is refused', () => {
  assert.throws(() => tapeOf(text('a')).next('other'), SystemError);
});

test('whatever is put on a tape is played back, question by question', () => {
  const answer = fc.oneof(
    fc.uint8Array({ maxLength: 20 }).map((bytes): Answer => ({ bytes })),
    fc.constantFrom('EACCES', 'ENOENT').map((refused): Answer => ({ refused })),
  );
  const question = fc.constantFrom('now', 'host.json', '__proto__', 'constructor');
  fc.assert(
    fc.property(fc.array(fc.tuple(question, answer)), (all) => {
      const tape = new Tape();
      for (const [name, it] of all) tape.add(name, it);
      for (const [name, it] of all) {
        if ('bytes' in it) assert.deepEqual(tape.next(name), it.bytes);
        else assert.throws(() => tape.next(name), { code: it.refused });
      }
    }),
  );
});
