import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { boundTarget, functionLocation, pausedFrames } from '../../../src/parse/node/paused.ts';
import { frameAt } from '../../../src/parse/node/places.ts';
import { inspectorId, inspectorVersion, versionIn } from '../../../src/parse/node/version.ts';

test('the owner of code is told by where its file lies', () => {
  assert.equal(frameAt('f', 'node:net', 1).origin, 'runtime');
  assert.equal(frameAt('f', 'file:///srv/app/node_modules/pg/lib/client.js', 1).origin, 'library');
  assert.equal(frameAt('f', 'file:///srv/app/server.js', 1).origin, 'application');
  assert.equal(frameAt('f', '/srv/app/node_modules_old/server.js', 1).origin, 'application');
});

test('a file is a path, and lines count from 1', () => {
  assert.deepEqual(frameAt('', 'file:///srv/my%20app/a.js', 0), {
    function: '(anonymous)',
    file: '/srv/my app/a.js',
    line: 1,
    origin: 'application',
  });
  assert.equal(frameAt('f', 'file:///srv/100%/a.js', 0).file, '/srv/100%/a.js');
});

test('code without a file has none', () => {
  assert.deepEqual(frameAt('spin', '', 4), { function: 'spin', line: 5, origin: 'application' });
});

test('the version stands in the binary, and only a Node.js is one', () => {
  assert.equal(versionIn('\0node.js/v22.23.3\0rest'), 'v22.23.3');
  assert.equal(versionIn('node.js/v25.0.0-nightly20250101abc\0'), 'v25.0.0-nightly20250101abc');
  assert.equal(versionIn('node.js/vX\0'), undefined);
  assert.equal(inspectorVersion({ Browser: 'node.js/v24.21.0', 'Protocol-Version': '1.1' }), 'v24.21.0');
  for (const answer of [{ Browser: 'Chrome/100' }, {}, null, 'node.js/v1.0.0'])
    assert.equal(inspectorVersion(answer), undefined);
});

test('the id of a target is one that can stand in a path', () => {
  assert.equal(inspectorId([{ id: '41ff0d0c-f7ae-46a7-871f-53630f92f7f2' }]), '41ff0d0c-f7ae-46a7-871f-53630f92f7f2');
  for (const answer of [[{ id: '../x' }], [{ id: 7 }], [], {}, undefined]) assert.equal(inspectorId(answer), undefined);
});

test('whatever an inspector answers, there is a place or none', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.ok(Array.isArray(pausedFrames(value, new Map())));
      assert.ok(Array.isArray(pausedFrames({ callFrames: [value, { location: value }] }, new Map())));
      functionLocation(value);
      functionLocation({ internalProperties: [value, { name: '[[FunctionLocation]]', value: { value } }] });
      boundTarget({ internalProperties: [{ name: '[[TargetFunction]]', value }] });
      inspectorVersion(value);
      inspectorId([value]);
    }),
  );
});
