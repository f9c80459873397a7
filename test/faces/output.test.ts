import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { HELP } from '../../src/faces/help.ts';

const run = promisify(execFile);
const BIN = fileURLToPath(new URL('../../src/bin.ts', import.meta.url));
const OUTPUT = new URL('../../src/faces/output.ts', import.meta.url).href;

/** Runs a line of the shell in which $0 is Node.js and $1 the command line: spawn itself gives sockets, and no pipes. */
const shell = (line: string): Promise<{ stdout: string; stderr: string }> =>
  run('sh', ['-c', line, process.execPath, BIN]);

test('a pipe and a file get all of it', async () => {
  assert.equal((await shell('"$0" "$1" --help | cat')).stdout, HELP);
  const folder = mkdtempSync(join(tmpdir(), 'unclosed-output-'));
  try {
    await shell(`"$0" "$1" --help > ${folder}/help`);
    assert.equal(readFileSync(join(folder, 'help'), 'utf8'), HELP);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a reader that goes away early is no error', async () => {
  const { stdout, stderr } = await shell('{ "$0" "$1" --help; echo "code $?" >&2; } | head -c 5');
  assert.deepEqual([stdout, stderr], [HELP.slice(0, 5), 'code 0\n']);
});

test('a reader that is gone changes no exit code', async () => {
  const { stderr } = await shell('{ sleep 0.3; "$0" "$1" no-such-command; echo "code $?" >&2; } | true');
  assert.match(stderr, /code 2\n$/);
  const dryRun = '{ sleep 0.3; "$0" "$1" tune --apply tcp_keepalive_time=601; echo "code $?" >&2; } | true';
  assert.match((await shell(dryRun)).stderr, /code 10\n$/);
});

test('a full disk is an error', async () => {
  const { stderr } = await shell('"$0" "$1" --help > /dev/full; echo "code $?" >&2');
  assert.match(stderr, /could not be written: ENOSPC \[OUTPUT_FAILED\]\ncode 2\n$/);
});

test('output that is closed is no reason to fail otherwise than by saying so', async () => {
  const { stderr } = await shell('"$0" "$1" --version >&-; echo "code $?" >&2');
  assert.doesNotMatch(stderr, /fault of unclosed/);
});

const MANY = 1_000_000;
/** Reads slowly from a pipe that does not let its writer wait, and prints how much came. */
const SLOW_READER = `
import fcntl, os, subprocess, sys, time
r, w = os.pipe()
fcntl.fcntl(w, fcntl.F_SETFL, os.O_NONBLOCK)
writer = subprocess.Popen(sys.argv[1:], stdout=w)
os.close(w)
total = 0
while True:
    data = os.read(r, 65536)
    if not data: break
    total += len(data)
    time.sleep(0.005)
print(total, writer.wait())
`;

test('a pipe that does not let its writer wait gets all of it', () => {
  const writes = `import { standardOutput } from '${OUTPUT}'; const out = standardOutput();
    out.write('x'.repeat(${MANY / 2})); out.write('y'.repeat(${MANY / 2}), () => { process.exitCode = out.isDone ? 1 : 0; });`;
  const { stdout, stderr, error } = spawnSync(
    'python3',
    ['-c', SLOW_READER, process.execPath, '--input-type=module', '-e', writes],
    { encoding: 'utf8' },
  );
  if (error) throw error;
  assert.deepEqual([stdout, stderr], [`${MANY} 0\n`, '']);
});
