import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FIXTURE = `${ROOT}fixtures/captures/linux-6.18/netstat-antp.txt`;

type Run = { code: number | null; stdout: string; stderr: string };

/** Runs `unclosed read` with this on standard input. */
function read(args: string[], input = ''): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [`${ROOT}src/bin.ts`, 'read', ...args]);
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (data: string) => {
      stdout += data;
    });
    child.stderr.setEncoding('utf8').on('data', (data: string) => {
      stderr += data;
    });
    child.stdin.on('error', () => {}); // it may have seen enough
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(input);
  });
}

const ROW = 'tcp 1 0 192.0.2.10:8080 198.51.100.7:40000 CLOSE_WAIT 812/java\n';

test('standard input is read without a file and for -, and ends with 1 when something is in CLOSE_WAIT', async () => {
  for (const args of [[], ['-']]) {
    const { code, stdout, stderr } = await read(args, ROW);
    assert.deepEqual({ code, stderr }, { code: 1, stderr: '' });
    assert.match(stdout, /java {2}pid 812/);
  }
});

test('a capture without CLOSE_WAIT ends with 0, and one that cannot tell with 2', async () => {
  const none = await read([], ROW.replace('CLOSE_WAIT', 'ESTABLISHED'));
  assert.equal(none.code, 0);
  assert.match(none.stdout, /No connection in CLOSE_WAIT in this capture/);
  const listeners = await read([], 'tcp 0 0 0.0.0.0:80 0.0.0.0:* LISTEN 1/a\n');
  assert.equal(listeners.code, 2);
  assert.match(listeners.stderr, /CAPTURE_UNTELLING/);
});

test('--verbose lists the lines that were not understood, without what a terminal would obey', async () => {
  const { stdout } = await read(['-v'], `${ROW}what is\u0007 this\n`);
  assert.match(stdout, /standard input:2: not understood: "what is\\x07 this"/);
});

test('names of a capture cannot drive the terminal', async () => {
  const { stdout } = await read([], 'x\\x1b[31m 812 u 5u IPv4 1 0t0 TCP 192.0.2.1:1->192.0.2.2:2 (CLOSE_WAIT)\n');
  assert.doesNotMatch(stdout, /\u001b/);
});

for (const [args, message] of [
  [['--between', '10m', FIXTURE], /needs two captures/],
  [['--between', 'soon', FIXTURE, FIXTURE], /no duration/],
  [['--format', 'excel', FIXTURE], /must be .*lsof/],
  [['--scrub', FIXTURE, FIXTURE], /takes one capture/],
  [['--unit', 'x', FIXTURE], /Unknown option/],
] as const) {
  test(`read ${args.slice(0, 2).join(' ')} is refused`, async () => {
    const { code, stderr } = await read([...args]);
    assert.equal(code, 2);
    assert.match(stderr, message);
    assert.match(stderr, /USAGE/);
  });
}
