import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseServices } from '../../src/parse/services.ts';

const SERVICES = `# Network services, Internet style
tcpmux\t\t1/tcp\t\t\t\t# TCP port service multiplexer
domain\t\t53/udp
https\t\t443/tcp\t\t\t\t# http protocol over TLS/SSL
secure\t\t443/tcp
wap-wsp\t\t9200/tcp
#telnet\t\t23/tcp
toobig\t\t70000/tcp
zero\t\t0/tcp
noport
`;

test('ports of TCP have the name of their first line', () => {
  const services = parseServices(SERVICES);
  assert.equal(services.get(1), 'tcpmux');
  assert.equal(services.get(443), 'https');
});

test('comments, other protocols and impossible ports are left out', () => {
  const services = parseServices(SERVICES);
  for (const port of [0, 23, 70000]) assert.equal(services.has(port), false);
  assert.ok(![...services.values()].includes('noport'));
});

test('the built-in table fills the gaps of the file, and the file wins', () => {
  const services = parseServices(SERVICES);
  assert.equal(services.get(6379), 'redis');
  assert.equal(services.get(27017), 'mongodb');
  assert.equal(services.get(9200), 'wap-wsp');
});

test('without a file the built-in table answers', () => {
  assert.equal(parseServices(undefined).get(5432), 'postgresql');
  assert.equal(parseServices(undefined).get(443), 'https');
});

test('arbitrary text gives only ports that exist', () => {
  const line = fc
    .tuple(fc.string(), fc.integer(), fc.constantFrom('/tcp', '/udp', ''))
    .map(([a, b, c]) => `${a} ${b}${c}`);
  fc.assert(
    fc.property(fc.array(fc.oneof(line, fc.string())), (lines) => {
      for (const [port, name] of parseServices(lines.join('\n'))) {
        assert.ok(Number.isInteger(port) && port > 0 && port <= 65535);
        assert.match(name, /^[^\s#]+$/);
      }
    }),
  );
});
