import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freezerFiles, parseFrozen } from '../../src/parse/freezer.ts';

test('the state of the second version is in the cgroup, wherever that hierarchy is mounted', () => {
  assert.deepEqual(freezerFiles('0::/system.slice/shop.service\n'), [
    '/sys/fs/cgroup/system.slice/shop.service/cgroup.events',
    '/sys/fs/cgroup/unified/system.slice/shop.service/cgroup.events',
  ]);
});

test('of the first version only the freezer matters', () => {
  assert.deepEqual(freezerFiles('8:pids:/docker/ab\n6:freezer:/docker/ab\n'), [
    '/sys/fs/cgroup/freezer/docker/ab/freezer.state',
  ]);
});

test('the root cannot be frozen, and a path outside of our namespace is not followed', () => {
  assert.deepEqual(freezerFiles('6:freezer:/\n0::/\n'), []);
  assert.deepEqual(freezerFiles('0::/../other/it\n'), []);
  assert.deepEqual(freezerFiles(''), []);
});

test('both versions say whether it is frozen', () => {
  assert.equal(parseFrozen('populated 1\nfrozen 1\n'), true);
  assert.equal(parseFrozen('populated 1\nfrozen 0\n'), false);
  assert.equal(parseFrozen('FROZEN\n'), true);
  assert.equal(parseFrozen('THAWED\n'), false);
  assert.equal(parseFrozen('populated 1\n'), undefined);
});
