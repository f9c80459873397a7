import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsePasswd } from '../../src/parse/passwd.ts';

const PASSWD = `root:x:0:0:root:/root:/bin/bash
toor:x:0:0:root again:/root:/bin/sh
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
# a comment
+nisuser:x:500:500:::
+::::::
broken
:x:44:44::/:
noid:x::7:::
negative:x:-1:7:::
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`;

test('users are known by their uid and the first line of a uid wins', () => {
  assert.deepEqual(
    [...parsePasswd(PASSWD)],
    [
      [0, 'root'],
      [33, 'www-data'],
      [65534, 'nobody'],
    ],
  );
});

test('a uid that is missing never becomes 0', () => {
  assert.equal(parsePasswd('noid:x::0:::\nblank:x: :0:::\n').size, 0);
});

test('arbitrary text gives only names without spaces', () => {
  const line = fc.array(fc.oneof(fc.string(), fc.nat().map(String))).map((fields) => fields.join(':'));
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      for (const [uid, name] of parsePasswd(lines.join('\n'))) {
        assert.ok(Number.isSafeInteger(uid));
        assert.match(name, /^\S+$/);
      }
    }),
  );
});
