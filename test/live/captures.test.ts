import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type JsonFinding, type JsonReport, type JsonSocket, reportEverything, socketsAt, unclosed } from './cli.ts';
import { missing, startWorkload, type Workload } from './workload.ts';

// The tools of this machine and the live report, at the same moment, on the same programs.

const skip = missing('root', 'python3', 'ss', 'netstat', 'lsof');

const folder = mkdtempSync(join(tmpdir(), 'unclosed-captures-'));
const workloads: Workload[] = [];
before(async () => {
  if (skip) return;
  const cases = [
    ['unread'],
    ['missing-close', 'mapped'],
    ['never-accepted'],
    ['inherited'],
    ['keepalive', '6'],
  ] as const;
  workloads.push(
    ...(await Promise.all(cases.map(([name, family]) => startWorkload(name, { count: 5, ...(family && { family }) })))),
  );
});
after(async () => {
  await Promise.all(workloads.map(({ stop }) => stop()));
  rmSync(folder, { recursive: true, force: true });
});

async function read(text: string): Promise<JsonReport> {
  const path = join(folder, 'capture.txt');
  writeFileSync(path, text);
  const run = await unclosed('read', path, '--json', '--sockets', '--stuck-after', '0s');
  assert.ok(run.code === 0 || run.code === 1, run.stderr);
  return JSON.parse(run.stdout);
}

const ends = ({ local, peer }: JsonSocket): string => `${local.address} ${local.port} ${peer.address} ${peer.port}`;

const TOOLS: [string, string[], { queues: boolean; fds: boolean; unaccepted: boolean; processes: boolean }][] = [
  ['ss', ['-tanpieo'], { queues: true, fds: true, unaccepted: true, processes: true }],
  ['ss', ['-HOtanpi'], { queues: true, fds: true, unaccepted: true, processes: true }],
  ['ss', ['-tan'], { queues: true, fds: false, unaccepted: true, processes: false }],
  ['netstat', ['-neopa'], { queues: true, fds: false, unaccepted: true, processes: true }],
  ['netstat', ['-antp'], { queues: true, fds: false, unaccepted: true, processes: true }],
  ['lsof', ['-nP', '-iTCP'], { queues: false, fds: true, unaccepted: false, processes: true }],
  ['lsof', ['-nP', '-Tqs', '-F', '-iTCP'], { queues: true, fds: true, unaccepted: false, processes: true }],
  ['cat', ['/proc/net/tcp', '/proc/net/tcp6'], { queues: true, fds: false, unaccepted: true, processes: false }],
];

for (const [tool, args, tells] of TOOLS) {
  test(`${tool} ${args.join(' ')} read back gives the sockets of the live report`, {
    skip,
    timeout: 60_000,
  }, async () => {
    const text =
      tool === 'cat'
        ? args.map((path) => readFileSync(path, 'utf8')).join('')
        : execFileSync(tool, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
    const [captured, live] = [await read(text), await reportEverything('--all-holders')];
    for (const { truth } of workloads) {
      const unaccepted = truth.case === 'never-accepted';
      const seen = new Map(socketsAt(captured, truth).map((socket) => [ends(socket), socket]));
      if (unaccepted && !tells.unaccepted) {
        assert.equal(seen.size, 0, truth.case);
        continue;
      }
      const wanted = socketsAt(live, truth);
      assert.equal(wanted.length, 5, truth.case);
      assert.deepEqual([...seen.keys()].sort(), wanted.map(ends).sort(), truth.case);
      for (const socket of wanted) {
        const found = seen.get(ends(socket));
        assert.equal(found?.recv_q, tells.queues ? socket.recv_q : null, truth.case);
        if (tells.fds && !unaccepted) {
          const sorted = ({ holders }: JsonSocket) => holders.map(({ pid, fd }) => `${pid} ${fd}`).sort();
          assert.deepEqual(found && sorted(found), sorted(socket), truth.case);
        }
      }
      if (!unaccepted || !tells.processes) continue;
      const isBacklog = ({ cause, listener }: JsonFinding): boolean =>
        cause === 'accept-backlog' && listener?.port === truth.port;
      assert.ok(live.findings.some(isBacklog), 'live');
      assert.ok(captured.findings.some(isBacklog), `${tool} ${args.join(' ')}`);
    }
  });
}
