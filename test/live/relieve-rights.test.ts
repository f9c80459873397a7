import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { run } from './cli.ts';
import { missing, startWorkload } from './workload.ts';

// A user who is not root: others' processes are not touched, and the own ones as far as the kernel allows.

const skip = missing('root', 'python3');
const NOBODY = 65534;

// The checkout may lie where nobody can read it, so the modules are loaded first and the rights dropped then.
const AS_NOBODY = `
const source = ${JSON.stringify(new URL('../../src/', import.meta.url).href)};
const { main } = await import(source + 'faces/cli.ts');
for (const name of ['faces/relieve', 'kernel/fast', 'kernel/target', 'kernel/bpf/held-source']) await import(source + name + '.ts');
const { mkdtempSync, rmSync } = await import('node:fs');
process.setgroups([]);
process.setgid(${NOBODY});
process.setuid(${NOBODY});
const state = mkdtempSync('/tmp/unclosed-nobody-');
process.exitCode = await main(['relieve', ...process.argv.slice(1), '--older-than', '1s', '--no-evidence', '--state', state], process, process.env);
rmSync(state, { recursive: true });
`;
const relieveAsNobody = (...args: string[]) =>
  run(process.execPath, ['--input-type=module-typescript', '-e', AS_NOBODY, '--', ...args]);

/** The smallest leak, of a user who may not read this checkout. */
const LEAK = `
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
held = []
for _ in range(5):
    peer = socket.create_connection(listener.getsockname())
    held.append(listener.accept()[0])
    peer.close()
for it in held:
    it.recv(1)
print("READY", flush=True)
sys.stdin.read()
`;

test("another user's process is left alone, with the reason", { skip }, async () => {
  const { truth, stop } = await startWorkload('missing-close', { count: 3, args: ['--seconds-before', '1.5'] });
  try {
    const { code, stdout, stderr } = await relieveAsNobody(String(truth.pid), '--action', 'terminate', '--yes');
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /permission denied \[FDS_DENIED\]\n {2}run as root/);
    assert.match(readFileSync(`/proc/${truth.pid}/status`, 'latin1'), /^State:\t[SR]/m);
  } finally {
    await stop();
  }
});

test('the limit of an own process is raised as far as the hard limit, and no further', { skip }, async () => {
  const child = spawn('prlimit', ['--nofile=20:300', 'python3', '-c', LEAK], {
    uid: NOBODY,
    gid: NOBODY,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data'); // it says nothing but READY
    const pid = String(child.pid);
    let { code, stdout, stderr } = await relieveAsNobody(
      pid,
      '--action',
      'raise-fd-limit',
      '--fd-limit',
      '301',
      '--yes',
    );
    assert.equal(code, 12, stdout + stderr);
    assert.match(stdout, /the hard limit is 300/);
    ({ code, stdout, stderr } = await relieveAsNobody(pid, '--action', 'raise-fd-limit', '--fd-limit', '300', '--yes'));
    assert.equal(code, 0, stdout + stderr);
    assert.match(readFileSync(`/proc/${pid}/limits`, 'latin1'), /Max open files +300 +300 /);
  } finally {
    child.kill('SIGKILL');
  }
});
