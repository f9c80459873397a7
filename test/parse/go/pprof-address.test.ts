import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError } from '../../../src/model/errors.ts';
import { goroutineProfile } from '../../../src/parse/go/pprof-address.ts';

for (const [given, url] of [
  [':6060', 'http://127.0.0.1:6060/debug/pprof/goroutine?debug=2'],
  ['localhost:6060', 'http://localhost:6060/debug/pprof/goroutine?debug=2'],
  ['http://10.0.0.7:6060/debug/pprof/', 'http://10.0.0.7:6060/debug/pprof/goroutine?debug=2'],
  ['https://[::1]:6060/debug/pprof/goroutine?debug=1', 'https://[::1]:6060/debug/pprof/goroutine?debug=2'],
  ['http://u:p@shop.example/admin', 'http://u:p@shop.example/admin/debug/pprof/goroutine?debug=2'],
] as const) {
  test(`the goroutine profile of ${given}`, () => assert.equal(goroutineProfile(given), url));
}

test('what is no address of HTTP is a ParseError', () => {
  for (const given of ['', 'ftp://x/', 'file:///etc/passwd', 'a b', 'http://', 'http://x:y:z'])
    assert.throws(() => goroutineProfile(given), ParseError, given);
});
