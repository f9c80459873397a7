import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseMountinfo } from '../../src/parse/mountinfo.ts';

const PROC = '21 27 0:20 / /proc rw,nosuid,nodev,noexec,relatime shared:5 - proc proc rw';
const NETNS = '412 24 0:4 net:[4026532201] /run/netns/blue rw shared:219 - nsfs nsfs rw';

test('a bind mount of a network namespace gives its inode and path', () => {
  assert.deepEqual(parseMountinfo(`${PROC}\n${NETNS}\n`), { netns: [{ id: 4026532201, path: '/run/netns/blue' }] });
});

test('optional fields may be none or several', () => {
  const none = NETNS.replace(' shared:219', '');
  const several = NETNS.replace('shared:219', 'shared:219 master:1 propagate_from:2');
  for (const line of [none, several]) assert.deepEqual(parseMountinfo(line), parseMountinfo(NETNS));
});

test('space, tab, newline and backslash in a path are unescaped', () => {
  const { netns } = parseMountinfo(NETNS.replace('blue', 'a\\040b\\011c\\012d\\134e'));
  assert.equal(netns[0]?.path, '/run/netns/a b\tc\nd\\e');
});

test('an escaped path that looks like the separator does not move the columns', () => {
  const { netns } = parseMountinfo(NETNS.replace('blue', 'a\\040-\\040nsfs'));
  assert.equal(netns[0]?.path, '/run/netns/a - nsfs');
});

test('namespaces of other kinds, and other file systems, are no network namespaces', () => {
  const others = [NETNS.replace('net:[', 'mnt:['), NETNS.replace('nsfs nsfs', 'ext4 nsfs')].join('\n');
  assert.deepEqual(parseMountinfo(others), { netns: [] });
});

for (const value of ['1', '2', 'invisible', 'noaccess', 'ptraceable']) {
  test(`hidepid=${value} of /proc is told`, () => {
    assert.equal(parseMountinfo(`${PROC},gid=5,hidepid=${value}`).hidepid, value);
  });
}

for (const value of ['0', 'off']) {
  test(`hidepid=${value} hides nothing`, () => {
    assert.deepEqual(parseMountinfo(`${PROC},hidepid=${value}`), { netns: [] });
  });
}

test('hidepid of a proc that is mounted elsewhere does not concern us', () => {
  assert.deepEqual(parseMountinfo(PROC.replace(' /proc ', ' /srv/root/proc ').concat(',hidepid=2')), { netns: [] });
});

test('of two mounts on /proc the later one, which covers the other, counts', () => {
  assert.deepEqual(parseMountinfo(`${PROC},hidepid=2\n${PROC}`), { netns: [] });
});

test('random text never throws', () => {
  fc.assert(fc.property(fc.string(), fc.string(), (a, b) => void parseMountinfo(`${a}\n${NETNS}${a} - ${b}`)));
});
