import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspectorOptions, isInspectorPort, nodeOptionsIn } from '../../../src/parse/node/options.ts';

const NONE = { atStart: false, port: 9229, signalOff: false };

test('a plain command line opens no inspector at the start, and at port 9229 later', () => {
  assert.deepEqual(inspectorOptions(['node', 'server.js', '--port', '80']), NONE);
});

test('every way to name the port is understood', () => {
  for (const args of [
    ['--inspect-port=1234'],
    ['--inspect-port', '1234'],
    ['--debug-port=1234'],
    ['--inspect-port=0.0.0.0:1234'],
    ['--inspect-port=[::1]:1234'],
  ])
    assert.deepEqual(inspectorOptions(['node', ...args, 'a.js']), { ...NONE, port: 1234 }, args.join(' '));
  assert.deepEqual(inspectorOptions(['node', '--inspect=127.0.0.1:4', 'a.js']), { ...NONE, atStart: true, port: 4 });
  assert.deepEqual(inspectorOptions(['node', '--inspect-wait', 'a.js']), { ...NONE, atStart: true });
  assert.deepEqual(inspectorOptions(['node', '--inspect-brk=host', 'a.js']), { ...NONE, atStart: true });
});

test('NODE_OPTIONS counts as arguments do', () => {
  assert.deepEqual(inspectorOptions(['node', 'a.js'], '--disable-sigusr1 --inspect-port=0'), {
    ...NONE,
    port: 0,
    signalOff: true,
  });
});

test('of an environment only NODE_OPTIONS is taken', () => {
  assert.equal(nodeOptionsIn('TOKEN=NODE_OPTIONS=x\0NODE_OPTIONS=--a=b --c\0HOME=/'), '--a=b --c');
  assert.equal(nodeOptionsIn('HOME=/'), undefined);
});

test('ports of others are no ports of an inspector', () => {
  const named = { ...NONE, port: 5000 };
  assert.deepEqual(
    [80, 5000, 9228, 9229, 9300, 9301].filter((port) => isInspectorPort(port, named)),
    [5000, 9229, 9300],
  );
});
