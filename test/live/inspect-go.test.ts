import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Depth, Inside } from '../../src/model/inside.ts';
import { inspectGo } from '../../src/runtimes/go/inspect.ts';
import { subjectOf } from './inside.ts';
import { type Program, startReady, stopProcess, workshop } from './program.ts';
import { missing } from './workload.ts';

type Said = { pid: number; profiles: string };

const skip = missing('go', 'root', 'unshare');
const shop = workshop();
const program = join(shop.folder, 'pprof');
before(() => {
  if (skip) return;
  const source = join(shop.folder, 'main.go');
  copyFileSync(fileURLToPath(new URL('pprof.go', import.meta.url)), source);
  const env = { ...process.env, GO111MODULE: 'off', GOTOOLCHAIN: 'local', GOFLAGS: '' };
  const { status, stderr } = spawnSync('go', ['build', '-o', program, source], { env, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});
after(() => shop.clear());

type Looked = { inside: Inside; announced: string[]; said: Program<Said> };

async function look(command: string[], depth: Depth, pprof?: (said: Said) => string): Promise<Looked> {
  const said = await startReady<Said>(command);
  try {
    const { subject, announced } = await subjectOf(said.pid, depth);
    const inside = await inspectGo(subject, pprof ? { pprof: pprof(said) } : {});
    assert.equal(said.child.exitCode, null);
    return { inside, announced, said };
  } finally {
    await said.stop();
  }
}

function assertLeakIsNamed({ inside, announced }: Looked): void {
  const [leak] = inside.strands ?? [];
  assert.deepEqual(
    [leak?.count, leak?.state, leak?.frames[0]?.function],
    [5, 'chan receive', 'main.handle'],
    JSON.stringify(inside.gaps),
  );
  assert.equal(leak?.frames[0]?.origin, 'application');
  assert.match(inside.version ?? '', /^go1\./);
  assert.equal(announced.length, 1);
  assert.deepEqual(inside.gaps, []);
}

test('a Go program is asked at the address that is given, and names the goroutines that leak', { skip }, async () => {
  assertLeakIsNamed(await look([program, '127.0.0.1:0'], 'read', ({ profiles }) => profiles));
});

test('without an address nothing is asked, and the command that would ask is named', { skip }, async () => {
  const { inside, announced, said } = await look([program, '127.0.0.1:0'], 'read');
  assert.deepEqual([inside.strands, inside.attachments, announced], [undefined, [], []]);
  assert.equal(inside.gaps[0]?.code, 'INSIDE_NOT_ASKED');
  assert.match(inside.gaps[0]?.remedy ?? '', new RegExp(`unclosed inspect ${said.pid} --attach`));
});

test('when attaching is allowed it is asked where it listens itself, on all addresses too', { skip }, async () => {
  assertLeakIsNamed(await look([program, ':0'], 'attach'));
});

test('in another network namespace it is asked there', { skip }, async () => {
  const inside = ['unshare', '--net', 'sh', '-c', 'ip link set lo up; exec "$0" :6060', program];
  assertLeakIsNamed(await look(inside, 'attach'));
});

test('an answer that is no profile is a gap', { skip }, async () => {
  const server = createServer((_, answer) => answer.end('hello'));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    const { port } = server.address() as AddressInfo;
    const { inside } = await look([program, '127.0.0.1:0'], 'read', () => `http://user:hunter2@127.0.0.1:${port}`);
    assert.deepEqual(
      inside.gaps.map(({ code }) => code),
      ['INSIDE_FAILED'],
    );
    assert.doesNotMatch(JSON.stringify(inside), /hunter2/);
  } finally {
    server.close();
  }
});

test('a stopped one is not asked', { skip }, async () => {
  const said = await startReady<Said>([program, '127.0.0.1:0']);
  try {
    const { subject, announced } = await subjectOf(said.pid, 'attach');
    stopProcess(said.pid);
    const inside = await inspectGo(subject);
    assert.deepEqual([inside.gaps[0]?.code, inside.attachments, announced], ['INSIDE_REFUSED', [], []]);
  } finally {
    await said.stop();
  }
});
