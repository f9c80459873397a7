import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('../../scripts/kernel-constants.ts', import.meta.url));
const noCompiler = !process.env.CI && spawnSync('cc', ['--version']).error !== undefined;

test('structs, offsets and constants are those of the C headers', {
  skip: noCompiler && 'needs a C compiler (cc)',
}, () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT], { encoding: 'utf8' });
  const different = stdout.split('\n').filter((line) => line.startsWith('DIFFERENT'));
  assert.deepEqual({ different, status, stderr }, { different: [], status: 0, stderr: '' });
});
