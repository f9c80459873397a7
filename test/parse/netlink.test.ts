import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/model/errors.ts';
import { StructReader } from '../../src/parse/bytes.ts';
import { encodeNetlinkMessage, walkAttributes, walkDatagram } from '../../src/parse/netlink.ts';
import { bytes, everyTruncationFails, onlyParseErrors } from '../helpers/bytes.ts';
import { attribute, done, int32, message, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR } from '../helpers/netlink.ts';

type Part = [type: number, text: string];

const text = (data: Uint8Array, start: number, end: number): string =>
  Buffer.from(data.subarray(start, end)).toString();
const payload = (it: string): Buffer => Buffer.from(it);

function walk(datagram: Uint8Array, length = datagram.length) {
  const seen: Part[] = [];
  const result = walkDatagram(new StructReader('nlmsghdr', datagram), length, (type, start, end) =>
    seen.push([type, text(datagram, start, end)]),
  );
  return { seen, ...result };
}

function attributesOf(data: Uint8Array, start = 0, end = data.length): Part[] {
  const seen: Part[] = [];
  walkAttributes(new StructReader('nlattr', data), start, end, (type, from, to) =>
    seen.push([type, text(data, from, to)]),
  );
  return seen;
}

test('a request has the header, the payload, and padding to a multiple of four', () => {
  assert.deepEqual(
    encodeNetlinkMessage(20, 0x301, 7, bytes('aa bb cc dd ee')),
    bytes(`
      15 00 00 00              // nlmsg_len: 16 + 5, without the padding
      14 00                    // nlmsg_type
      01 03                    // nlmsg_flags
      07 00 00 00              // nlmsg_seq
      00 00 00 00              // nlmsg_pid
      aa bb cc dd ee 00 00 00  // payload and padding
    `),
  );
});

// Real, Linux 6.18: the last datagram of a dump of TCP sockets.
const REAL_DONE = bytes(`
  14 00 00 00  // nlmsg_len
  03 00        // nlmsg_type: NLMSG_DONE
  02 00        // nlmsg_flags: NLM_F_MULTI
  01 00 00 00  // nlmsg_seq
  26 36 00 00  // nlmsg_pid
  00 00 00 00  // the dump's own result
`);

test('several messages of one datagram are visited in order, each with its own end', () => {
  const datagram = Buffer.concat([
    message(20, payload('one')),
    message(21, payload('three')),
    message(20, payload('')),
  ]);
  assert.deepEqual(walk(datagram), {
    seen: [
      [20, 'one'],
      [21, 'three'],
      [20, ''],
    ],
    end: { kind: 'more' },
    interrupted: false,
  });
});

test('the end of a dump ends the walk, and what lies behind it is not visited', () => {
  const datagram = Buffer.concat([message(20, payload('last')), REAL_DONE, message(20, payload('ghost'))]);
  assert.deepEqual(walk(datagram), { seen: [[20, 'last']], end: { kind: 'done' }, interrupted: false });
});

test('bytes behind the length are not looked at: the buffer is larger than the datagram', () => {
  const one = message(20, payload('good'));
  const datagram = Buffer.concat([one, Buffer.alloc(40, 0xff)]);
  assert.deepEqual(walk(datagram, one.length).seen, [[20, 'good']]);
});

test('NLMSG_DONE without a result, as old kernels send it, is a good end', () => {
  assert.deepEqual(walk(message(NLMSG_DONE, new Uint8Array())).end, { kind: 'done' });
});

test('NLMSG_DONE with a negative result is an error with that errno', () => {
  assert.deepEqual(walk(message(NLMSG_DONE, int32(-12))).end, { kind: 'error', errno: 12 });
});

test('NLMSG_ERROR carries the errno, followed by the request it is about', () => {
  const refusal = message(NLMSG_ERROR, Buffer.concat([int32(-13), message(20, payload('asked'))]));
  assert.deepEqual(walk(refusal), { seen: [], end: { kind: 'error', errno: 13 }, interrupted: false });
});

test('NLMSG_ERROR with 0 acknowledges', () => {
  assert.deepEqual(walk(message(NLMSG_ERROR, int32(0))).end, { kind: 'done' });
});

test('an interrupted dump is noticed on any of its messages, and on its end', () => {
  const flagged = message(20, payload('a'), NLM_F_DUMP_INTR | 2);
  assert.equal(walk(Buffer.concat([message(20, payload('b')), flagged])).interrupted, true);
  assert.equal(walk(done(NLM_F_DUMP_INTR)).interrupted, true);
  assert.equal(walk(done()).interrupted, false);
});

test('a length shorter than the header, or longer than the datagram, is a ParseError', () => {
  for (const length of [0, 1, 15, 25, 0x7fffffff, 0x80000000, 0xffffffff]) {
    const lying = message(20, payload('12345678'));
    lying.writeUInt32LE(length, 0);
    assert.throws(() => walk(lying), ParseError, `length ${length}`);
  }
});

test('a message may end without its padding when it is the last', () => {
  assert.deepEqual(walk(message(20, payload('12345')).subarray(0, 21)).seen, [[20, '12345']]);
});

test('every truncation of a datagram that does not end between two messages is a ParseError', () => {
  everyTruncationFails(Buffer.from(REAL_DONE), (part) => {
    if (part.length === 0) throw new ParseError('', 'an empty datagram holds nothing');
    walk(part);
  });
});

test('attributes are visited with type, begin and end, padding left out', () => {
  const attributes = Buffer.concat([
    attribute(8, payload('a')),
    attribute(15, payload('mark')),
    attribute(21, payload('')),
  ]);
  assert.deepEqual(attributesOf(attributes), [
    [8, 'a'],
    [15, 'mark'],
    [21, ''],
  ]);
});

test('the flags of an attribute are no part of its type', () => {
  assert.deepEqual(attributesOf(attribute(0x8000 | 0x4000 | 19, payload('x'))), [[19, 'x']]);
});

test('attributes are walked between the given bounds only', () => {
  const attributes = Buffer.concat([Buffer.alloc(8, 0xff), attribute(1, payload('in')), Buffer.alloc(8, 0xff)]);
  assert.deepEqual(attributesOf(attributes, 8, 16), [[1, 'in']]);
});

test('an attribute with a lying length is a ParseError', () => {
  for (const length of [0, 3, 9, 0xffff]) {
    const lying = attribute(2, payload('1234'));
    lying.writeUInt16LE(length, 0);
    assert.throws(() => attributesOf(lying), ParseError, `length ${length}`);
  }
});

test('every truncation of an attribute is a ParseError', () => {
  const whole = attribute(2, payload('12345678'));
  for (let length = 1; length < whole.length; length++) {
    assert.throws(() => attributesOf(whole.subarray(0, length)), ParseError);
  }
});

test('random bytes never throw anything but ParseError, and end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
      onlyParseErrors(() => walk(data));
      onlyParseErrors(() => attributesOf(data));
    }),
    { numRuns: 2000 },
  );
});

test('whatever messages are put into a datagram come out of it', () => {
  const part = fc.tuple(fc.integer({ min: 16, max: 0xffff }), fc.string({ maxLength: 20 }));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 10 }), (parts) => {
      const datagram = Buffer.concat([...parts.map(([type, it]) => message(type, payload(it))), done()]);
      assert.deepEqual(walk(datagram).seen, parts);
    }),
  );
});
