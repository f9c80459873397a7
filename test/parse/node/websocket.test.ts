import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../../src/model/errors.ts';
import { encodeFrame, MessageReader, OPCODE } from '../../../src/parse/node/websocket.ts';

const MASK = Uint8Array.of(1, 2, 3, 4);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What a server sends: a frame without a mask. */
function served(opcode: number, payload: Uint8Array, fin = true): Uint8Array {
  const frame = encodeFrame(opcode, payload, new Uint8Array(4));
  const header = frame.length - payload.length - 4;
  const bare = Uint8Array.from([...frame.subarray(0, header), ...frame.subarray(header + 4)]);
  bare[0] = (fin ? 0x80 : 0) | opcode;
  bare[1] = (bare[1] ?? 0) & 0x7f;
  return bare;
}

test('a frame of a client is masked, as RFC 6455 shows it in section 5.7', () => {
  const mask = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);
  assert.deepEqual(
    encodeFrame(OPCODE.text, bytesOf('Hello'), mask),
    Uint8Array.of(0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58),
  );
});

test('messages of every length come out as they were sent, in whatever pieces they arrive', () => {
  const lengths = fc.constantFrom(0, 1, 125, 126, 127, 65_535, 65_536, 70_000);
  fc.assert(
    fc.property(fc.array(lengths, { maxLength: 3 }), fc.integer({ min: 1, max: 70_000 }), (sizes, step) => {
      const sent = sizes.map((size, index) => new Uint8Array(size).fill(index + 1));
      const stream = Buffer.concat(sent.map((payload) => served(OPCODE.text, payload)));
      const reader = new MessageReader();
      const got: Uint8Array[] = [];
      const size = Math.max(step, Math.ceil(stream.length / 500));
      for (let at = 0; at < stream.length; at += size)
        got.push(...reader.push(stream.subarray(at, at + size)).map(({ payload }) => payload));
      assert.deepEqual(got, sent);
    }),
    { numRuns: 40 },
  );
});

test('fragments are put together, and a ping between them is told at once', () => {
  const reader = new MessageReader();
  const stream = Buffer.concat([
    served(OPCODE.text, bytesOf('Hel'), false),
    served(OPCODE.ping, bytesOf('?')),
    served(OPCODE.continuation, bytesOf('lo')),
  ]);
  assert.deepEqual(reader.push(stream), [
    { opcode: OPCODE.ping, payload: bytesOf('?') },
    { opcode: OPCODE.text, payload: bytesOf('Hello') },
  ]);
});

test('a masked frame from a server, and one too large to be meant, are refused', () => {
  assert.throws(() => new MessageReader().push(encodeFrame(OPCODE.text, bytesOf('x'), MASK)), ParseError);
  assert.throws(() => new MessageReader().push(Uint8Array.of(0x81, 127, 0x7f, 0, 0, 0, 0, 0, 0, 0)), ParseError);
});

test('arbitrary bytes give messages, an error, or a wait for more', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 }), (pieces) => {
      const reader = new MessageReader();
      try {
        for (const piece of pieces) reader.push(piece);
      } catch (error) {
        assert.ok(error instanceof ParseError);
      }
    }),
  );
});
