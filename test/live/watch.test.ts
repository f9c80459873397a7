import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { BIN, run, unclosed } from './cli.ts';
import { missing, startWorkload } from './workload.ts';

// The watch without a terminal, on programs whose state is known.

const skip = missing('root', 'python3');

type Line = {
  interval: number | null;
  totals: { close_wait: number; entered: number; left: number };
  rows: { process: { pid: number } | null; sockets: number; entered: number; left: number; cause: string }[];
  events: { who: string; what: string }[];
  trace: { source: string; refused: string | null; lost: boolean };
  source: string;
  reached?: boolean;
};

const linesOf = (stdout: string): Line[] =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

test('a leak is seen as it comes and as it goes', { skip }, async () => {
  const leak = await startWorkload('missing-close', { count: 23 });
  const watched = unclosed('watch', '--json', '--interval', '200ms', '--for', '4s', '--stuck-after', '0s');
  try {
    await untilSeen(leak.truth.pid);
  } finally {
    await leak.stop();
  }
  const lines = linesOf((await watched).stdout);
  const rows = lines.flatMap(({ rows }) => rows.filter(({ process }) => process?.pid === leak.truth.pid));
  assert.ok(rows.some(({ sockets }) => sockets === 23));
  assert.equal(
    rows.reduce((sum, { left }) => sum + left, 0),
    23,
  );
  const [event] = lines.flatMap(({ events }) => events.filter(({ who }) => who === `python3 ${leak.truth.pid}`));
  assert.equal(event?.what, 'none left (23 sockets before)');
});

/** Another watch ends when it sees the sockets, and says so by its exit code. */
async function untilSeen(pid: number): Promise<void> {
  const { code, stderr } = await unclosed(
    ...[
      'watch',
      String(pid),
      '--until',
      'close_wait > 0',
      '--for',
      '10s',
      '--interval',
      '100ms',
      '--stuck-after',
      '0s',
    ],
  );
  assert.equal(code, 0, stderr);
}

for (const trace of ['bpf', 'tracefs'] as const) {
  test(`connections that come and go between two looks are counted by ${trace}`, { skip }, async () => {
    const churn = await startWorkload('churn');
    try {
      const { code, stdout, stderr } = await withTracefs(
        ...['watch', '--json', '--interval', '1s', '--for', '4s', '--trace', trace, '-p', String(churn.truth.pid)],
      );
      assert.equal(code, 0, stderr);
      const lines = linesOf(stdout).slice(1);
      assert.ok(lines.every((line) => line.trace.source === trace && !line.trace.lost));
      // The workload closes a connection some milliseconds after its end, many times a second: no look sees them all.
      const entered = lines.reduce((sum, { totals }) => sum + totals.entered, 0);
      const polled = await withTracefs(
        ...['watch', '--json', '--interval', '1s', '--for', '4s', '--trace', 'polls', '-p', String(churn.truth.pid)],
      );
      const seen = linesOf(polled.stdout)
        .slice(1)
        .reduce((sum, { totals }) => sum + totals.entered, 0);
      assert.ok(entered > seen + 20, `${entered} by ${trace}, ${seen} by comparing looks`);
    } finally {
      await churn.stop();
    }
  });
}

const TRACEFS = '/sys/kernel/tracing';

/** Runs the command line where tracefs is mounted: in a mount namespace of its own if it is not. */
function withTracefs(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  if (existsSync(`${TRACEFS}/instances`)) return unclosed(...args);
  const script = `mount -t tracefs tracefs ${TRACEFS} && exec "$@"`;
  return run('unshare', ['-m', 'sh', '-c', script, 'sh', process.execPath, BIN, ...args]);
}

test('what an earlier watch left in tracefs is removed, and a signal leaves nothing', { skip }, async () => {
  // Its pid is beyond PID_MAX_LIMIT, so it is of no process.
  const script = `
    [ -d ${TRACEFS}/instances ] || mount -t tracefs tracefs ${TRACEFS}
    mkdir ${TRACEFS}/instances/unclosed-4194305-1
    "$@" & pid=$!
    while ! ls ${TRACEFS}/instances | grep -q "unclosed-$pid-"; do kill -0 $pid || exit 9; sleep 0.05; done
    ls ${TRACEFS}/instances
    kill -TERM $pid; wait $pid; echo "code $?"
    echo "left: $(ls ${TRACEFS}/instances | grep unclosed-)"`;
  const args = [process.execPath, BIN, 'watch', '--trace', 'tracefs', '--json', '--for', '20s'];
  const { stdout } = spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', ...args], { encoding: 'utf8' });
  assert.doesNotMatch(stdout, /unclosed-4194305-1/);
  assert.match(stdout, /^code 143$/m);
  assert.match(stdout, /^left: $/m);
});

test('the exit code says whether the condition was reached', { skip }, async () => {
  const { truth, stop } = await startWorkload('missing-close', { count: 5 });
  const watched = ['watch', String(truth.pid), '--stuck-after', '0s', '--for', '300ms', '--interval', '100ms'];
  try {
    assert.equal((await unclosed(...watched, '--until', 'stuck >= 5')).code, 0);
    assert.equal((await unclosed(...watched, '--until', 'stuck > 5')).code, 1);
    assert.equal((await unclosed(...watched)).code, 1);
    assert.equal((await unclosed(...watched, '--stuck-after', '1h')).code, 2);
    assert.equal((await unclosed('watch', String(process.pid), '--for', '0s')).code, 0);
  } finally {
    await stop();
  }
});

test('a process that is not there is an error, and one that ends ends the watch', { skip }, async () => {
  assert.equal((await unclosed('watch', '4194304', '--for', '1s')).code, 2);
  const { truth, stop } = await startWorkload('missing-close', { count: 5 });
  const watched = unclosed('watch', String(truth.pid), '--stuck-after', '0s', '--for', '30s', '--interval', '100ms');
  await untilSeen(truth.pid);
  await stop();
  const { code, stdout } = await watched;
  assert.equal(code, 0);
  assert.match(stdout, /^..:..:.. {2}5 CLOSE_WAIT, 5 stuck · 1 process · /m);
});

test('a reader that goes away ends it quietly, and leaves nothing behind', { skip }, async () => {
  const child = spawn(process.execPath, [BIN, 'watch', '--json', '--interval', '100ms', '--for', '20s'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.once('data', () => child.stdout.destroy());
  const { code, stderr } = await ended(child);
  assert.ok(code === 0 || code === 1, `exit ${code}`);
  assert.equal(stderr, '');
});

function ended(child: ChildProcess): Promise<{ code: number | null; stderr: string }> {
  return new Promise((resolve) => {
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('close', (code) => resolve({ code, stderr }));
  });
}

test('memory does not grow while it watches churn', { skip }, async () => {
  const churn = await startWorkload('churn');
  const child = spawn(process.execPath, [BIN, 'watch', '--json', '--interval', '100ms', '--for', '12s'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const resident: number[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    for (const [, bytes] of text.matchAll(/"resident_bytes":([0-9]+)/g)) resident.push(Number(bytes));
  });
  const descriptors = (): number => readdirSync(`/proc/${child.pid}/fd`).length;
  try {
    await new Promise<void>((resolve) => void child.stdout.once('data', () => resolve()));
    const before = descriptors();
    await new Promise<void>((resolve) => {
      child.stdout.on('data', () => {
        if (resident.length >= 80) resolve();
      });
    });
    assert.ok(descriptors() <= before + 2, readFileSync(`/proc/${child.pid}/status`, 'latin1'));
    await ended(child);
  } finally {
    await churn.stop();
  }
  // The heap settles in the first seconds; what comes after is compared with that.
  const [settled, last] = [Math.max(...resident.slice(30, 50)), Math.max(...resident.slice(-20))];
  assert.ok(last < 1.25 * settled, `${settled} bytes became ${last}`);
});
