import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { reportEverything } from './cli.ts';
import { missing, startWorkload } from './workload.ts';

const skip = missing('root', 'python3');
const BIN = fileURLToPath(new URL('../../src/bin.ts', import.meta.url));

test('processes and sockets that come and go while they are read do no harm', { skip }, async () => {
  const storm = spawn('sh', ['-c', 'i=0; while [ $i -lt 4000 ]; do /bin/true & i=$((i+1)); done; wait'], {
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => storm.once('close', resolve));
  const { truth, stop } = await startWorkload('churn');
  const leak = await startWorkload('unread');
  try {
    for (let round = 0; round < 5; round++) {
      const report = await reportEverything('--all-holders', '--held', 'always');
      const finding = report.findings.find(({ holder }) => holder?.pid === leak.truth.pid);
      assert.equal(finding?.sockets, leak.truth.count);
      const churn = report.findings.find(({ holder }) => holder?.pid === truth.pid);
      assert.ok((churn?.sockets ?? 0) <= 20);
    }
  } finally {
    await stop();
    await leak.stop();
    storm.kill();
    await ended;
  }
});

test('a reader that goes away ends it quietly', { skip }, async () => {
  const { truth, stop } = await startWorkload('missing-close', { count: 499 });
  try {
    const child = spawn(process.execPath, [BIN, String(truth.pid), '--sockets', '--stuck-after', '0s', '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
      child.once('close', (...end) => resolve(end)),
    );
    assert.equal(stderr, '');
    assert.equal(signal, null);
    assert.ok(code === 0 || code === 1, `exit ${code}`);
  } finally {
    await stop();
  }
});

// N sockets in CLOSE_WAIT on high descriptors, and a thread that opens and closes low ones all the time.
const CHURNING = `
import os, socket, sys, threading
count = int(sys.argv[1])
server = socket.create_server(("127.0.0.1", 0), backlog=300)
held = []
for _ in range(count):
    client = socket.create_connection(server.getsockname())
    held.append(server.accept()[0])
    client.close()
for n, sock in enumerate(held): os.dup2(sock.fileno(), 3000 + n)
for sock in held: sock.close()
def churn():
    while True:
        for fd in [os.open("/dev/null", os.O_RDONLY) for _ in range(800)]: os.close(fd)
threading.Thread(target=churn, daemon=True).start()
print(os.getpid(), flush=True)
sys.stdin.read()
`;

// On a small table and on a large one.
for (const count of [199, 2503]) {
  test(`descriptors that open and close meanwhile hide none of ${count} sockets`, { skip }, async () => {
    const child = spawn('python3', ['-c', CHURNING, String(count)], { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      const pid = await new Promise<string>((resolve) =>
        child.stdout.once('data', (text) => resolve(String(text).trim())),
      );
      for (let round = 0; round < 6; round++) {
        const { findings } = await reportEverything(pid);
        assert.equal(findings[0]?.sockets, count);
      }
    } finally {
      child.stdin.end();
      child.kill('SIGKILL');
    }
  });
}
