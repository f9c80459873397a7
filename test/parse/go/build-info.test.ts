import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../../src/model/errors.ts';
import { parseBuildInfo } from '../../../src/parse/go/build-info.ts';

const MODULES =
  'path\tshop.example/api\nmod\tshop.example/api\t(devel)\t\ndep\tgithub.com/labstack/echo/v4\tv4.12.0\th1:x=\nbuild\t-compiler=gc\n';
const sentinel = (text: string): Buffer =>
  Buffer.concat([Buffer.alloc(16, 0x30), Buffer.from(text), Buffer.alloc(16, 0xf9)]);

function header(flags: number): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.write('\xff Go buildinf:', 'latin1');
  bytes[14] = 8;
  bytes[15] = flags;
  return bytes;
}

/** A length as Go writes it, seven bits at a time, and the text. */
const inline = (text: Buffer): Buffer => {
  const length: number[] = [];
  let rest = text.length;
  for (; rest >= 0x80; rest >>= 7) length.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([...length, rest]), text]);
};

const nowhere = (): undefined => undefined;
const EXPECTED = { version: 'go1.22.1', module: 'shop.example/api', dependencies: ['github.com/labstack/echo/v4'] };

test('since Go 1.18 version and modules stand behind the header', () => {
  const bytes = Buffer.concat([header(2), inline(Buffer.from('go1.22.1')), inline(sentinel(MODULES))]);
  assert.deepEqual(parseBuildInfo(bytes, nowhere), EXPECTED);
});

test('before, the header has the addresses of two strings', () => {
  const bytes = header(0);
  bytes.writeBigUInt64LE(0x1000n, 16);
  bytes.writeBigUInt64LE(0x1010n, 24);
  const strings = Buffer.alloc(32);
  const texts = [Buffer.from('go1.22.1'), sentinel(MODULES)];
  texts.forEach((text, i) => {
    strings.writeBigUInt64LE(i === 0 ? 0x2000n : 0x3000n, i * 16);
    strings.writeBigUInt64LE(BigInt(text.length), i * 16 + 8);
  });
  const at = (address: bigint, length: number): Uint8Array | undefined => {
    if (address >= 0x1000n && address < 0x1020n) return strings.subarray(Number(address - 0x1000n)).subarray(0, length);
    return address === 0x2000n ? texts[0] : address === 0x3000n ? texts[1] : undefined;
  };
  assert.deepEqual(parseBuildInfo(bytes, at), EXPECTED);
});

test('a program without modules has a version alone', () => {
  const bytes = Buffer.concat([header(2), inline(Buffer.from('go1.19.8')), inline(Buffer.alloc(0))]);
  assert.deepEqual(parseBuildInfo(bytes, nowhere), { version: 'go1.19.8', dependencies: [] });
});

test('any bytes are understood or a ParseError', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.uint8Array({ maxLength: 200 }).map((rest) => Buffer.concat([header(2), rest])),
    fc.uint8Array({ minLength: 16, maxLength: 16 }).map((rest) => Buffer.concat([header(0).subarray(0, 16), rest])),
  );
  fc.assert(
    fc.property(bytes, fc.option(fc.uint8Array({ maxLength: 64 }), { nil: undefined }), (it, there) => {
      try {
        parseBuildInfo(it, () => there);
      } catch (error) {
        assert.ok(error instanceof ParseError);
      }
    }),
  );
});
