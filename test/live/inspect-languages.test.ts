import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { inspectThreads } from '../../src/runtimes/any/inspect.ts';
import { inspectNative } from '../../src/runtimes/native/inspect.ts';
import type { Subject } from '../../src/runtimes/subject.ts';
import { subjectOf } from './inside.ts';
import { type Program, startReady, stopProcess, workshop } from './program.ts';
import { missing } from './workload.ts';

type Said = { pid: number };

// Each holds a connection whose other end is shut down, and waits for something else on another one.
const RUBY = `
require 'socket'
listener = TCPServer.new('127.0.0.1', 0)
peer = TCPSocket.new('127.0.0.1', listener.addr[1])
held = listener.accept
peer.close_write
Thread.new { peer.read }
sleep 0.1
puts "READY {\\"pid\\": #{$$}}"
$stdout.flush
$stdin.read
`;
const PHP = `
$listener = stream_socket_server('tcp://127.0.0.1:0');
$peer = stream_socket_client('tcp://' . stream_socket_get_name($listener, false));
$held = stream_socket_accept($listener);
stream_socket_shutdown($peer, STREAM_SHUT_WR);
echo 'READY {"pid": ', getmypid(), "}\\n";
$read = [$peer]; $write = $except = null;
stream_select($read, $write, $except, 60);
`;
const PERL = `
use IO::Socket::INET;
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die;
my $peer = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $listener->sockport) or die;
my $held = $listener->accept;
shutdown($peer, 1);
$| = 1;
print "READY {\\"pid\\": $$}\\n";
sysread($peer, my $answer, 100);
`;

/** The program goes on to where it waits after it has said READY: it is looked at until it does. */
async function untilWaiting(said: Program<Said>): Promise<{ subject: Subject; calls: (string | undefined)[] }> {
  for (;;) {
    const { subject } = await subjectOf(said.pid, 'read');
    const inside = inspectThreads(subject);
    assert.deepEqual(inside.gaps, []);
    const waits = (inside.strands ?? []).flatMap(({ call }) => call?.on ?? []);
    if (!waits.some(({ state }) => state === 'FIN_WAIT2')) continue;
    return { subject, calls: (inside.strands ?? []).map(({ call }) => call?.name) };
  }
}

for (const [language, program, script, expected] of [
  ['Ruby', ['ruby', '-e'], RUBY, /^(?:ppoll|poll|recvfrom|read)$/],
  ['PHP', ['php', '-r'], PHP, /^(?:poll|ppoll|select|pselect6)$/],
  ['Perl', ['perl', '-e'], PERL, /^read$/],
] as const) {
  const skip = missing(program[0], 'root');
  test(`a thread of a ${language} program has the connection that it waits on`, { skip, timeout: 20_000 }, async () => {
    const said = await startReady<Said>([...program, script]);
    try {
      const { calls } = await untilWaiting(said);
      assert.ok(
        calls.some((name) => expected.test(name ?? '')),
        calls.join(' '),
      );
    } finally {
      await said.stop();
    }
  });
}

const skipStacks = missing('cc', 'root', 'eu-stack');
const shop = workshop();
let program = '';
before(() => {
  if (!skipStacks) program = shop.compile('threads.c');
});
after(() => shop.clear());

test('the functions of a program in C are known where a pause is allowed, and it runs on', {
  skip: skipStacks,
}, async () => {
  const said = await startReady<Said>([program, 'poll']);
  try {
    const { subject, announced } = await subjectOf(said.pid, 'deep');
    const inside = await inspectNative(subject);
    assert.deepEqual(inside.gaps, []);
    assert.equal(announced.length, 1);
    const frames = inside.strands?.find(({ tid }) => tid !== said.pid)?.frames ?? [];
    const own = frames.find(({ origin }) => origin === 'application');
    assert.equal(own?.function, 'poll_two');
    const after = inspectThreads(subject).strands ?? [];
    assert.deepEqual(
      after.map(({ kernelState }) => kernelState),
      ['sleeping', 'sleeping'],
    );
  } finally {
    await said.stop();
  }
});

test('no stack is read unless a pause was allowed, and none of a process that is stopped', {
  skip: skipStacks,
}, async () => {
  const said = await startReady<Said>([program, 'poll']);
  try {
    for (const depth of ['read', 'attach'] as const) {
      const { subject, announced } = await subjectOf(said.pid, depth);
      const { gaps, attachments } = await inspectNative(subject);
      assert.deepEqual([gaps.map(({ code }) => code), attachments, announced], [['INSIDE_NOT_ASKED'], [], []]);
    }
    const { subject } = await subjectOf(said.pid, 'deep');
    stopProcess(said.pid);
    const { gaps, attachments } = await inspectNative(subject);
    assert.deepEqual([gaps.map(({ code }) => code), attachments], [['INSIDE_REFUSED'], []]);
  } finally {
    await said.stop();
  }
});
