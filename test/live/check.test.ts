import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unclosed } from './cli.ts';
import { missing, startWorkload } from './workload.ts';

const skip = missing('root', 'python3');

test('a check of a leaking process gives the exit code, one line, and numbers that a monitoring system reads', {
  skip,
}, async () => {
  const { truth, stop } = await startWorkload('missing-close', { count: 12 });
  try {
    const check = (...args: string[]) => unclosed('check', String(truth.pid), '--stuck-after', '0s', ...args);
    const quiet = await check();
    assert.deepEqual([quiet.code, quiet.stderr], [0, '']);
    assert.match(
      quiet.stdout,
      /^UNCLOSED OK - 12 connections stuck, and no limit is crossed \| stuck=12;;;0 age=[0-9]+s/,
    );
    const [warning, critical] = [await check('-w', '10', '-c', '20'), await check('-c', 'stuck=10', '-w', '5')];
    assert.deepEqual([warning.code, critical.code], [1, 2]);
    assert.match(
      critical.stdout,
      /^UNCLOSED CRITICAL - stuck is 12; .*\(pid [0-9]+\), 12 connections, .* \| stuck=12;5;10;0 /,
    );
    const [first = ''] = critical.stdout.split('\n');
    const [, data = ''] = first.split(' | ');
    for (const item of data.split(' '))
      assert.match(item, /^[a-z_]+=(?:U|[0-9.]+(?:s|%)?)(?:;[@~0-9:.]*){0,2}(?:;[0-9]*){0,2}$/);
  } finally {
    await stop();
  }
});

test('a process that does not exist and a range that is none are UNKNOWN, on standard output', async () => {
  for (const args of [['4194303'], ['-w', 'many'], ['--frobnicate'], ['--config', '/nonexistent.toml'], ['x']]) {
    const { code, stdout, stderr } = await unclosed('check', ...args);
    assert.deepEqual([code, stderr], [3, ''], args.join(' '));
    assert.match(stdout, /^UNCLOSED UNKNOWN - [^|\n]+\[[A-Z_]+\]\n$/);
  }
});
