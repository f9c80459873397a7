import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError, SystemError } from '../../../src/model/errors.ts';
import { gapOf, refused } from '../../../src/runtimes/java/trouble.ts';

test('what fails becomes a gap with what to do, by what it was', () => {
  const code = (error: unknown): string => gapOf(error, 812, false).code;
  assert.equal(code(refused('pid 812 is stopped', 'let it run on')), 'INSIDE_REFUSED');
  assert.equal(code(new SystemError('EACCES', '/proc/812/maps')), 'INSIDE_DENIED');
  assert.equal(code(new SystemError('ESRCH', '/proc/812/maps')), 'INSIDE_FAILED');
  assert.equal(code(new SystemError('ETIMEDOUT', 'ask the JVM')), 'INSIDE_FAILED');
  assert.equal(code(new SystemError('ECANCELED', 'ask the JVM')), 'INSIDE_CUT');
  assert.equal(code(new ParseError('thread dump', 'no line')), 'INSIDE_FAILED');
  // As Node's own calls throw them.
  assert.equal(
    code(Object.assign(new Error('EROFS'), { code: 'EROFS', syscall: 'mkdir', path: '/tmp/x' })),
    'INSIDE_FAILED',
  );
});

test('whoever lacks the rights is told which ones help', () => {
  const remedy = (asRoot: boolean): string => gapOf(new SystemError('EACCES', '/proc/812/maps'), 812, asRoot).remedy;
  assert.match(remedy(false), /as root/);
  assert.match(remedy(true), /on the host/);
});

test('a fault of ours is no gap', () => {
  assert.throws(() => gapOf(new TypeError('undefined is no function'), 812, true), TypeError);
});
