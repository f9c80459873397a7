import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AddressCache, formatIpv4, formatIpv6 } from '../../src/parse/address.ts';
import { ipv6 } from '../helpers/netlink.ts';

const text = (groups: string): string => formatIpv6(Uint8Array.from(Buffer.from(groups.replaceAll(' ', ''), 'hex')));

// RFC 5952 section 4, and the special addresses
for (const [groups, expected] of [
  ['2001 0db8 0000 0000 0000 0000 0002 0001', '2001:db8::2:1'],
  ['2001 0db8 0000 0001 0001 0001 0001 0001', '2001:db8:0:1:1:1:1:1'],
  ['2001 0000 0000 0001 0000 0000 0000 0001', '2001:0:0:1::1'],
  ['2001 0db8 0000 0000 0001 0000 0000 0001', '2001:db8::1:0:0:1'],
  ['2001 0DB8 AAAA BBBB CCCC DDDD EEEE FFFF', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff'],
  ['0000 0000 0000 0000 0000 0000 0000 0000', '::'],
  ['0000 0000 0000 0000 0000 0000 0000 0001', '::1'],
  ['fe80 0000 0000 0000 0000 0000 0000 0000', 'fe80::'],
  ['0000 0000 0000 0000 0000 0000 0102 0304', '::102:304'],
  ['0000 0000 0000 0000 0000 ffff 0a00 0007', '10.0.0.7'],
  ['0000 0000 0000 0000 ffff 0000 0a00 0007', '::ffff:0:a00:7'],
  ['0064 ff9b 0000 0000 0000 0000 0a00 0007', '64:ff9b::a00:7'],
] as const) {
  test(`${groups} is written ${expected}`, () => assert.equal(text(groups), expected));
}

test('four bytes are an IPv4 address', () => {
  assert.equal(formatIpv4(Uint8Array.from([10, 0, 255, 7])), '10.0.255.7');
});

// Half of the groups zero, so that runs of every length and place occur.
const sixteen = fc
  .array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])));
const isMapped = (it: Uint8Array): boolean =>
  Buffer.from(it)
    .toString('hex')
    .startsWith(`${'0'.repeat(20)}ffff`);

test("every other IPv6 address agrees with the normal form of Node's own URL", () => {
  fc.assert(
    fc.property(sixteen, (it) => {
      fc.pre(!isMapped(it));
      const long = Buffer.from(it).toString('hex').match(/.{4}/g)?.join(':');
      assert.equal(`[${formatIpv6(it)}]`, new URL(`http://[${long}]`).hostname);
    }),
    { numRuns: 2000 },
  );
});

test('the text stands for the same 16 bytes', () => {
  fc.assert(fc.property(sixteen, (it) => assert.deepEqual(ipv6(formatIpv6(it)), [...it])));
});

test('the cache gives the text of the bytes at the offset, also when it is asked again', () => {
  const cache = new AddressCache();
  const address = fc.uint8Array({ minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(fc.array(address, { minLength: 1 }), fc.nat(20), (all, offset) => {
      for (const it of [...all, ...all]) {
        const buffer = Uint8Array.from([...new Uint8Array(offset).fill(0xee), ...it]);
        assert.equal(cache.v6(buffer, offset), formatIpv6(it));
        assert.equal(cache.v4(buffer, offset), formatIpv4(it));
      }
    }),
  );
});

test('the cache stays right when more addresses come than it keeps', () => {
  const cache = new AddressCache();
  const buffer = new Uint8Array(4);
  for (let i = 0; i < 70_000; i++) {
    buffer.set([10, i >> 16, (i >> 8) & 0xff, i & 0xff]);
    assert.equal(cache.v4(buffer, 0), `10.${i >> 16}.${(i >> 8) & 0xff}.${i & 0xff}`);
  }
});
