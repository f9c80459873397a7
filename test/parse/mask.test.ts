import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maskSecrets } from '../../src/parse/mask.ts';

for (const [line, masked] of [
  ['connect postgres://app:hunter2@db:5432/shop failed', 'connect postgres://***@db:5432/shop failed'],
  ['Authorization: Bearer abc.def-123 sent', 'Authorization: ***'],
  ['headers {"authorization": "Basic QWxhZGRpbg=="}', 'headers {"authorization": "***"}'],
  ['GET /?user=7&password=hunter2&x=1 ECONNRESET', 'GET /?user=7&password=***&x=1 ECONNRESET'],
  ['spring.datasource.password: hunter2', 'spring.datasource.password: ***'],
  ['{"api_key":"k-123 456","n":1}', '{"api_key":***","n":1}'],
  ['DB_PASSWORD="two words" EMFILE', 'DB_PASSWORD=***" EMFILE'],
  ['Cookie: a=1; b=2', 'Cookie: ***'],
  ['jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln end', 'jwt *** end'],
  ['key AKIAIOSFODNN7EXAMPLE used', 'key *** used'],
  ['id 4f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c gone', 'id *** gone'],
] as const) {
  test(`a secret is masked: ${line}`, () => assert.equal(maskSecrets(line), masked));
}

test('what a diagnosis needs stays: addresses, errors, classes, codes', () => {
  for (const line of [
    "Error: read ECONNRESET { errno: -104, code: 'ECONNRESET', syscall: 'read' }",
    'org.springframework.beans.factory.support.AbstractAutowireCapableBeanFactory.initializeBean',
    'upstream: "http://192.0.2.7:9000/report", host: "shop.example"',
  ])
    assert.equal(maskSecrets(line), line);
});
