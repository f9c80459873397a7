import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import {
  APP,
  assertUntouched,
  codes,
  hasInspector,
  lineIn,
  look,
  type Program,
  placesOf,
  startNode,
} from './node-program.ts';
import { stopProcess } from './program.ts';
import { missing } from './workload.ts';

// What must not be done to a program is not done, and what goes wrong in between leaves it as it was.

const root = missing('root', 'unshare', 'ip');
const FORGETS = "socket.on('end', () => kept.push(socket))";
const isUnspoken = (program: Program): boolean => !/Debugger|inspector/.test(program.err());
const running = (name: string, ...options: string[]): Promise<Program> =>
  startNode([process.execPath, ...options, APP, name]);
const whats = ({ gaps }: { gaps: { what: string }[] }): string => gaps.map(({ what }) => what).join('; ');

async function withProgram(
  starting: Promise<Program>,
  act: (program: Program, before: string[]) => Promise<void>,
): Promise<void> {
  const program = await starting;
  try {
    await act(program, program.threads());
  } finally {
    await program.stop();
  }
}

test('a mere reading tells the version and what more could be asked, and does nothing', () =>
  withProgram(running('halfOpen'), async (program, before) => {
    const { inside, announced } = await look(program.pid, 'read');
    assert.equal(inside.version, process.version);
    assert.deepEqual(codes(inside), ['INSIDE_NOT_ASKED']);
    assert.match(inside.gaps[0]?.remedy ?? '', /--attach: one SIGUSR1, .*stderr.*every local user can connect/);
    assert.equal(inside.objects, undefined);
    assert.deepEqual([announced, inside.attachments], [[], []]);
    await assertUntouched(program, before);
    assert.ok(isUnspoken(program));
  }));

test('a program with a handler of its own for SIGUSR1 is refused, and its handler is not called', () =>
  withProgram(running('ownHandler'), async (program, before) => {
    const { inside, announced } = await look(program.pid, 'attach');
    assert.deepEqual(codes(inside), ['INSIDE_REFUSED']);
    assert.match(whats(inside), /handler of its own for SIGUSR1/);
    assert.deepEqual(announced, []);
    await assertUntouched(program, before);
    assert.doesNotMatch(program.out(), /HANDLER CALLED/);
    process.kill(program.pid, 'SIGUSR1');
    await program.until('HANDLER CALLED'); // it is heard when it is called
  }));

test('an inspector that is open is asked, and stays open', () =>
  withProgram(running('halfOpen', '--inspect=127.0.0.1:9229'), async (program) => {
    const reading = await look(program.pid, 'read');
    assert.match(whats(reading.inside), /open already, at 127\.0\.0\.1:9229/);
    for (let round = 0; round < 2; round++) {
      const { inside, announced } = await look(program.pid, 'attach');
      assert.deepEqual(codes(inside), []);
      assert.deepEqual(placesOf(inside.objects, 'end'), [lineIn(APP, FORGETS)]);
      assert.match(announced.join(), /is open at 127\.0\.0\.1:9229 and stays open/);
      assert.ok(program.isAlive() && hasInspector(program.pid));
    }
  }));

test('--disable-sigusr1 is respected', () =>
  withProgram(running('halfOpen', '--disable-sigusr1'), async (program, before) => {
    const { inside } = await look(program.pid, 'attach');
    assert.deepEqual(codes(inside), ['INSIDE_REFUSED']);
    assert.match(whats(inside), /--disable-sigusr1/);
    await assertUntouched(program, before);
  }));

test('an inspector at a port of its own is found there', () =>
  withProgram(running('halfOpen', '--inspect-port=0'), async (program, before) => {
    const { inside } = await look(program.pid, 'attach');
    assert.deepEqual(codes(inside), []);
    assert.deepEqual(placesOf(inside.objects, 'end'), [lineIn(APP, FORGETS)]);
    await assertUntouched(program, before);
  }));

test('a stopped program is refused, and gets no signal that waits for it', () =>
  withProgram(running('halfOpen'), async (program, before) => {
    stopProcess(program.pid);
    while (!/^State:\s+T/m.test(readFileSync(`/proc/${program.pid}/status`, 'latin1'))) await new Promise(setImmediate);
    const { inside } = await look(program.pid, 'attach');
    assert.deepEqual(codes(inside), ['INSIDE_REFUSED']);
    assert.match(whats(inside), /is stopped/);
    const pending = /^(?:Shd|Sig)Pnd:\s+0*[1-9a-f]/m;
    assert.doesNotMatch(readFileSync(`/proc/${program.pid}/status`, 'latin1'), pending);
    process.kill(program.pid, 'SIGCONT');
    while (/^State:\s+T/m.test(readFileSync(`/proc/${program.pid}/status`, 'latin1'))) await new Promise(setImmediate);
    await assertUntouched(program, before);
    assert.ok(isUnspoken(program));
  }));

test('where port 9229 is taken the program is refused, and says nothing on its stderr', () =>
  withProgram(running('halfOpen'), async (program) => {
    const other = createServer().listen(9229, '127.0.0.1');
    await once(other, 'listening');
    try {
      const { inside } = await look(program.pid, 'attach');
      assert.deepEqual(codes(inside), ['INSIDE_REFUSED']);
      assert.match(whats(inside), /port 9229 of loopback.* is taken by another process/);
      assert.ok(program.isAlive() && isUnspoken(program));
    } finally {
      other.close();
      await once(other, 'close');
    }
  }));

test('without the right to trace a program it is not touched, and the report says what right', { skip: root }, () =>
  withProgram(running('halfOpen'), async (program, before) => {
    const { inside } = await look(program.pid, 'attach', (subject) => {
      process.seteuid?.(65_534); // nobody
      return subject;
    }).finally(() => process.seteuid?.(0));
    assert.deepEqual(codes(inside), ['INSIDE_DENIED']);
    assert.match(inside.gaps[0]?.remedy ?? '', /as root/);
    await assertUntouched(program, before);
    assert.ok(isUnspoken(program));
  }),
);

test('a program in pid, mount and network namespaces of its own is asked there', { skip: root }, () => {
  const enter = ['unshare', '--pid', '--net', '--mount', '--fork', '--mount-proc', '--kill-child'];
  const command = [...enter, 'sh', '-c', 'ip link set lo up; exec "$@"', 'sh', process.execPath, APP, 'halfOpen'];
  const childOf = (pid: number): number => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim());
  return withProgram(startNode(command, childOf), async (program, before) => {
    assert.match(program.out(), /"pid":1}/);
    for (let round = 0; round < 2; round++) {
      const { inside } = await look(program.pid, 'attach');
      assert.deepEqual(codes(inside), []);
      assert.deepEqual(placesOf(inside.objects, 'end'), [lineIn(APP, FORGETS)]);
      await assertUntouched(program, before);
    }
  });
});

test('a program of another user is asked by root', { skip: root }, () => {
  const drop = "process.setgid(65534); process.setuid(65534); console.log('NOBODY');";
  const code = `await import(${JSON.stringify(APP)}); ${drop}`;
  const command = [process.execPath, '--input-type=module', '-e', code, 'halfOpen'];
  return withProgram(startNode(command), async (program, before) => {
    await program.until('NOBODY');
    const { inside } = await look(program.pid, 'attach');
    assert.deepEqual(codes(inside), []);
    assert.deepEqual(placesOf(inside.objects, 'end'), [lineIn(APP, FORGETS)]);
    await assertUntouched(program, before);
  });
});

test('two looks at once: one of them waits for nothing and refuses', () =>
  withProgram(running('halfOpen'), async (program, before) => {
    const both = await Promise.all([look(program.pid, 'attach'), look(program.pid, 'attach')]);
    assert.deepEqual(
      both.flatMap(({ inside }) => codes(inside)),
      ['INSIDE_REFUSED'],
    );
    assert.match(both.map(({ inside }) => whats(inside)).join(''), /another unclosed is looking into/);
    await assertUntouched(program, before);
    assert.equal(program.err().match(/Debugger attached/g)?.length, 1);
  }));

test('a program that ends before the signal, or while it is asked, is a gap and no error', async () => {
  for (const [depth, words] of [
    ['attach', 'SIGUSR1'],
    ['deep', 'heap'],
  ] as const) {
    await withProgram(running('halfOpen'), async (program) => {
      const { inside } = await look(program.pid, depth, (subject) => ({
        ...subject,
        announce: (sentence) => {
          if (sentence.includes(words)) process.kill(program.pid, 'SIGKILL');
        },
      }));
      assert.deepEqual(codes(inside), ['INSIDE_FAILED'], depth);
    });
  }
});

test('a user who has had enough gets what is known, and the inspector is closed', () =>
  withProgram(running('busy'), async (program, before) => {
    const enough = new AbortController();
    const looking = look(program.pid, 'attach', (subject) => ({ ...subject, signal: enough.signal }));
    await program.until('Debugger attached');
    enough.abort();
    const { inside } = await looking;
    assert.deepEqual(codes(inside), ['INSIDE_FAILED']);
    assert.match(whats(inside), /as you wished/);
    await assertUntouched(program, before);
  }));

test('a program in a native call opens its inspector late; the next look closes it', () =>
  withProgram(running('native'), async (program, before) => {
    const { inside } = await look(program.pid, 'attach');
    assert.deepEqual(codes(inside), ['INSIDE_FAILED']);
    assert.match(whats(inside), /did not open its inspector: .*\(it has started sleep \(pid [0-9]+\)\)/);
    assert.equal(hasInspector(program.pid), false);
    execFileSync('kill', [/sleep \(pid ([0-9]+)\)/.exec(whats(inside))?.[1] ?? '']);
    await program.until('Debugger listening');
    const next = await look(program.pid, 'attach');
    assert.deepEqual(codes(next.inside), []);
    assert.match(next.announced.join(), /open at 127\.0\.0\.1:9229 since an earlier look, and is closed now/);
    await assertUntouched(program, before);
  }));

test('a stuck socket that no object stands for is counted, and the way to find its owner is named', () =>
  withProgram(running('halfOpen'), async (program) => {
    const { inside } = await look(program.pid, 'attach', (subject) => {
      const [first] = subject.sockets.filter(({ state }) => state === 'CLOSE_WAIT');
      const sockets = new Map([[first?.inode ?? 0, [4095]]]); // a descriptor that no object has
      return { ...subject, sockets: first ? [first] : [], process: { ...subject.process, sockets } };
    });
    assert.deepEqual(codes(inside), ['INSIDE_NOT_ASKED']);
    assert.match(whats(inside), /for 1 of its stuck sockets no object was reached/);
    assert.match(inside.gaps[0]?.remedy ?? '', /--deep: .*0\.35 s per million objects/);
    assert.equal(inside.objectsComplete, undefined);
  }));

test('what is no Node.js is not asked', async () => {
  await withProgram(running('halfOpen'), async (program) => {
    const sleep = spawn('sleep', ['60'], { stdio: 'ignore' });
    try {
      const { inside } = await look(program.pid, 'attach', (subject) => ({
        ...subject,
        process: { ...subject.process, pid: sleep.pid ?? 0 },
      }));
      assert.deepEqual(codes(inside), ['INSIDE_UNSUPPORTED']);
      assert.equal(sleep.exitCode, null);
    } finally {
      sleep.kill();
    }
  });
});
