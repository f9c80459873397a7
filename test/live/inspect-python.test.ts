import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from '../../eval/build.ts';
import type { Frame, Inside } from '../../src/model/inside.ts';
import { inspectPython } from '../../src/runtimes/python/inspect.ts';
import { subjectOf } from './inside.ts';
import { stopProcess } from './program.ts';
import { untilAsleep } from './wait.ts';
import { missing, startProgram } from './workload.ts';

const skip = missing('root', 'python3');
const PROGRAM = fileURLToPath(new URL('inside.py', import.meta.url));
const SOURCE = readFileSync(PROGRAM, 'utf8').split('\n');
const READY_MS = 20_000;

/** Number of the line that has this mark. */
function lineOf(mark: string, lines = SOURCE): number {
  const found = lines.findIndex((line) => line.endsWith(`#: ${mark}`));
  assert.notEqual(found, -1, mark);
  return found + 1;
}

/** The machine's python3 (of pyenv the one that is chosen), and every other version that pyenv has. */
function interpreters(): { version: string; path: string }[] {
  const versions = join(process.env.PYENV_ROOT ?? join(homedir(), '.pyenv'), 'versions');
  const installed = existsSync(versions) ? readdirSync(versions) : [];
  const found = installed.map((name) => join(versions, name, 'bin/python3'));
  return ['/usr/bin/python3', ...found].flatMap((path) => {
    const version = /^Python (3\.[0-9]+\.[0-9]+\S*)/.exec(tryRun(path, '--version'))?.[1];
    return version === undefined ? [] : [{ version, path }];
  });
}

function tryRun(command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

const found = skip ? [] : interpreters();
const minorOf = (version: string): number => Number(version.split('.')[1]);
const supported = found
  .filter(({ version }) => minorOf(version) >= 7 && minorOf(version) <= 13)
  .sort((a, b) => minorOf(a.version) - minorOf(b.version));
const python = supported[0]?.path ?? 'python3';

type Program = { pid: number; child: ChildProcess; output: () => string };

/** Runs `use` with a program that has said READY, and ends it. */
async function withProgram(command: string[], use: (program: Program) => Promise<void>): Promise<void> {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let output = '';
  let errors = '';
  child.stderr?.on('data', (text) => {
    errors += text;
  });
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not ready: ${errors}`)), READY_MS);
      child.stdout?.on('data', (text) => {
        output += text;
        if (!output.includes('READY')) return;
        clearTimeout(timer);
        resolve();
      });
      child.once('exit', () => reject(new Error(`ended: ${errors}`)));
      child.once('error', reject);
    });
    await use({ pid: child.pid ?? 0, child, output: () => output + errors });
  } finally {
    try {
      if (child.pid) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // it has ended already
    }
  }
}

async function inspect(pid: number): Promise<Inside> {
  return inspectPython((await subjectOf(pid, 'read')).subject);
}

const own = (frames: Frame[]): string[] =>
  frames
    .filter(({ origin }) => origin === 'application')
    .map(({ function: name, file = '', line }) => `${name.replace(/^.*\./, '')} ${basename(file)}:${line}`);

const strand = ({ strands = [] }: Inside, name: string) =>
  strands.find((one) => one.name === name) ?? assert.fail(`no strand ${name}`);

const inProgram = (name: string, mark: string): string => `${name} inside.py:${lineOf(mark)}`;

/** What the program is from outside: nothing of it may change by being looked into. */
const outside = (pid: number): string => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return ['TracerPid', 'Threads', 'SigPnd', 'ShdPnd']
    .map((name) => new RegExp(`^${name}:.*$`, 'm').exec(status)?.[0])
    .join('\n');
};

for (const { version, path } of supported) {
  test(`CPython ${version} (${path}): threads, tasks, objects and what refers to them are told with their lines`, {
    skip,
  }, async () => {
    await withProgram([path, PROGRAM, 'ways'], async ({ pid, output }) => {
      await untilAsleep(pid); // it has gone on after READY
      const before = [outside(pid), output()];
      const inside = await inspect(pid);
      assert.deepEqual([outside(pid), output()], before);
      assert.deepEqual(inside.gaps, []);
      assert.equal(inside.version, version);
      const named = minorOf(version) >= 8;

      assert.deepEqual(own(strand(inside, 'worker').frames).slice(0, 1), [inProgram('book', 'lock')]);
      assert.deepEqual(own(strand(inside, 'jobs').frames), [inProgram('take_jobs', 'queue')]);
      assert.equal(strand(inside, 'jobs').frames[0]?.origin, 'runtime');
      assert.deepEqual(own(strand(inside, 'holder').frames), [inProgram('hold', 'local')]);
      const threads = (inside.strands ?? []).filter(({ kind }) => kind === 'thread');
      assert.equal(strand(inside, 'MainThread').tid, pid);
      assert.deepEqual(
        threads.map(({ tid }) => String(tid)).sort(),
        readdirSync(`/proc/${pid}/task`).sort(),
        'every thread has its number',
      );
      assert.ok(threads.every(({ holdsInterpreter }) => holdsInterpreter === false));

      const tasks = (inside.strands ?? []).filter(({ kind }) => kind === 'task');
      assert.equal(tasks.length, 3);
      const waiting = [inProgram('handle', 'task'), inProgram('outer', 'outer')];
      const iterating = [...waiting, inProgram('rows', 'generator'), inProgram('iterate', 'iterating')];
      const stacks = tasks.map(({ frames }) => own(frames).join('\n'));
      assert.ok(stacks.includes(waiting.join('\n')), stacks.join('\n\n'));
      assert.ok(stacks.includes(iterating.join('\n')), stacks.join('\n\n'));
      assert.ok(tasks.every(({ name, state }) => (!named || /^Task-/.test(name ?? '')) && state === 'CORO_SUSPENDED'));

      assert.equal(inside.objectsComplete, true);
      const referred = (inside.objects ?? []).flatMap(({ referredBy = [] }) => referredBy.map(withoutLine));
      for (const way of [
        '__main__.SESSIONS[…]',
        '__main__.JOBS.queue[…]',
        '__main__.Server.by_port[…]',
        'local variable conn in hold',
        'local variable conn in handle',
        'local variable conn in serve',
        'self.clients[…] in book',
      ])
        assert.ok(referred.includes(way), `${way} in:\n${referred.join('\n')}`);
      assert.ok((inside.objects ?? []).every(({ type, fd }) => type === 'socket.socket' && fd !== undefined));
    });
  });
}

/** Without the place in the program, and without the class before the name of a method (3.11 and newer have it). */
const withoutLine = (way: string): string => way.replace(/ \(inside\.py:[0-9]+\)$/, '').replace(/ in \S+\./, ' in ');

test('the versions that are found here are all tested', { skip }, (t) => {
  t.diagnostic(`tested: ${supported.map(({ version }) => version).join(', ')}`);
  assert.ok(supported.length > 0, 'no python3 of 3.7 to 3.13');
});

for (const { version, path } of found.filter((one) => !supported.includes(one))) {
  test(`CPython ${version} is refused with what to do instead`, { skip }, async () => {
    await withProgram([path, '-c', STUCK], async ({ pid }) => {
      const inside = await inspect(pid);
      assert.deepEqual(
        inside.gaps.map(({ code }) => code),
        ['INSIDE_UNSUPPORTED'],
      );
      assert.match(inside.gaps[0]?.what ?? '', new RegExp(version.replace(/\.[^.]*$/, '').replace('.', '\\.')));
      assert.match(inside.gaps[0]?.remedy ?? '', new RegExp(`py-spy dump --pid ${pid}`));
      assert.equal(inside.strands, undefined);
    });
  });
}

/** A process that holds one stuck connection, in any Python. */
const STUCK = `
import socket, sys, time
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(5)
c = socket.create_connection(l.getsockname()); s = l.accept()[0]; c.close()
sys.stdout.write("READY\\n"); sys.stdout.flush(); time.sleep(1000)
`;

/** Plays a workload of workloads/eval.json and looks into its program. */
async function withWorkload(name: string, use: (inside: Inside) => void): Promise<void> {
  const programs = build(new Set(['python']));
  const { truth, stop } = await startProgram(['play.py', name, '--build', programs.folder]);
  try {
    use(await inspect(truth.pid));
  } finally {
    await stop();
    programs.remove();
  }
}

const WORKERS = readFileSync(new URL('../../workloads/python/workers.py', import.meta.url), 'utf8').split('\n');
const LOOP = readFileSync(new URL('../../workloads/python/loop.py', import.meta.url), 'utf8').split('\n');
const lineWith = (lines: string[], text: string, nth = 0): number => {
  const all = lines.flatMap((line, i) => (line.includes(text) ? [i + 1] : []));
  return all[nth] ?? assert.fail(text);
};
const places = (inside: Inside): string[] => (inside.strands ?? []).flatMap(({ frames }) => own(frames).slice(0, 1));

test('of workers that wait for a silent service the line is named that asks it', { skip }, () =>
  withWorkload('stalled-python-workers', (inside) => {
    const asking = places(inside).filter(
      (place) => place === `ask_the_cache workers.py:${lineWith(WORKERS, 'cache.recv(100)')}`,
    );
    assert.equal(asking.length, 4, places(inside).join('\n'));
  }),
);

test('of a deadlock the lines are named at which each side waits for its second lock', { skip }, () =>
  withWorkload('stalled-python-deadlock', (inside) => {
    const all = places(inside);
    assert.ok(all.includes(`book_an_order workers.py:${lineWith(WORKERS, 'with LOCK_OF_STOCK:')}`), all.join('\n'));
    assert.ok(
      all.some((place) => place.startsWith('refill_the_stock workers.py:')),
      all.join('\n'),
    );
  }),
);

test('failed calls whose answers are kept in a list are alive there, by way of the answer', { skip }, () =>
  withWorkload('forgotten-python-errors', (inside) => {
    const kept = (inside.objects ?? []).flatMap(({ referredBy = [] }) => referredBy);
    assert.ok(kept.includes('__main__.FAILED[…][…].fp.raw._sock'), kept.join('\n'));
    assert.equal(inside.objectsComplete, true);
  }),
);

test('of an asyncio server the line is named at which each coroutine waits that still writes', { skip }, () =>
  withWorkload('half-close-python-asyncio', (inside) => {
    const line = lineWith(LOOP, 'await asyncio.sleep(0.05)');
    assert.ok(places(inside).includes(`export loop.py:${line}`), places(inside).join('\n'));
  }),
);

test('a descriptor without an object is none, and one that a file has is told by the file', { skip }, () =>
  withProgram([python, PROGRAM, 'detached', '0'], async ({ pid }) => {
    const { subject } = await subjectOf(pid, 'read');
    const inside = await inspectPython(subject);
    const stuck = subject.sockets.filter(({ state }) => state === 'CLOSE_WAIT');
    assert.equal(stuck.length, 5);
    const types = stuck.map(({ inode = 0 }) => {
      const [fd] = subject.process.sockets?.get(inode) ?? [];
      return inside.objects?.find((object) => object.fd === fd)?.type ?? 'none';
    });
    assert.deepEqual(types.sort(), ['_io.FileIO', 'none', 'none', 'none', 'socket.socket']);
    assert.equal(inside.objectsComplete, true);
  }),
);

test('a program of another user is looked into by root', { skip: missing('root', 'python3', 'setpriv') }, () =>
  withProgram(
    // Not by its path: nobody may read the checkout.
    ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '/usr/bin/python3', '-c', STUCK],
    async ({ pid }) => {
      const inside = await inspect(pid);
      assert.deepEqual(inside.gaps, []);
      assert.equal(inside.strands?.[0]?.frames[0]?.file, '<string>');
    },
  ),
);

// The checkout may lie where nobody can read it, so the modules are loaded first and the rights dropped then.
const AS_NOBODY = `
const { subjectOf } = await import(${JSON.stringify(new URL('inside.ts', import.meta.url).href)});
const { inspectPython } = await import(${JSON.stringify(new URL('../../src/runtimes/python/inspect.ts', import.meta.url).href)});
const { subject } = await subjectOf(Number(process.env.TARGET), 'read');
process.setgroups([]);
process.setgid(65534);
process.setuid(65534);
process.stdout.write(JSON.stringify(await inspectPython(subject)));
`;

test('without the right to read the memory that is said, with what would give it', { skip }, () =>
  withProgram([python, PROGRAM, 'threads', '1'], async ({ pid }) => {
    const args = ['--input-type=module-typescript', '-e', AS_NOBODY];
    const env = { ...process.env, TARGET: String(pid) };
    const inside = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', env })) as Inside;
    assert.deepEqual(
      inside.gaps.map(({ code }) => code),
      ['INSIDE_DENIED'],
    );
    assert.match(inside.gaps[0]?.remedy ?? '', /as root|CAP_SYS_PTRACE/);
    assert.equal(inside.strands, undefined);
  }),
);

test(
  'in another pid and mount namespace threads have the numbers that they have for us',
  {
    skip: missing('root', 'python3', 'unshare'),
  },
  () =>
    withProgram(
      ['unshare', '--pid', '--mount', '--fork', '--kill-child', python, PROGRAM, 'threads', '3'],
      async ({ pid }) => {
        const [inner] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
        assert.ok(inner);
        const inside = await inspect(inner);
        assert.deepEqual(inside.gaps, []);
        const tids = inside.strands?.map(({ tid }) => String(tid)).sort();
        assert.deepEqual(tids, readdirSync(`/proc/${inner}/task`).sort());
      },
    ),
);

// The interpreter's file is where only that process sees it.
const PRIVATE = `
mount -t tmpfs tmpfs /mnt
file=$(readlink -f /usr/bin/python3)
cp "$file" /mnt/
PYTHONHOME=/usr exec "/mnt/$(basename "$file")" "$0" threads 3
`;

test(
  'an interpreter that only its own mount namespace has is read there',
  {
    skip: missing('root', 'python3', 'unshare'),
  },
  () =>
    withProgram(['unshare', '--mount', 'sh', '-e', '-c', PRIVATE, PROGRAM], async ({ pid }) => {
      const inside = await inspect(pid);
      assert.deepEqual(inside.gaps, []);
      assert.equal(inside.strands?.length, 4);
      assert.equal(inside.objectsComplete, true);
    }),
);

const newest = supported.at(-1);

test(
  'threads of a second interpreter are told, without a number that could be another thread’s',
  {
    skip: skip || (newest && minorOf(newest.version) < 8 && 'needs a python3 of 3.8 or later'),
  },
  () =>
    withProgram([newest?.path ?? 'python3', '-W', 'ignore', PROGRAM, 'interpreter', '0'], async ({ pid }) => {
      const inside = await inspect(pid);
      assert.deepEqual(inside.gaps, []);
      const second = inside.strands?.filter(({ frames }) => frames[0]?.function === 'waits') ?? [];
      assert.deepEqual(
        second.map(({ frames, tid, name }) => [frames[0]?.file, frames[0]?.line, tid, name]),
        [['<string>', 3, undefined, undefined]],
      );
      const others = inside.strands?.flatMap(({ tid }) => tid ?? []).sort();
      assert.deepEqual(others?.map(String), readdirSync(`/proc/${pid}/task`).sort());
    }),
);

test('a stopped program is looked into, and stays stopped', { skip }, () =>
  withProgram([python, PROGRAM, 'threads', '3'], async ({ pid }) => {
    const { subject } = await subjectOf(pid, 'read');
    stopProcess(pid);
    const inside = await inspectPython(subject);
    assert.deepEqual(inside.gaps, []);
    assert.equal(inside.strands?.length, 4);
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^State:\s*T/m);
  }),
);

test('a program that ends meanwhile gives what was read until then, and a gap', { skip }, () =>
  withProgram([python, PROGRAM, 'threads', '3'], async ({ pid }) => {
    const { subject } = await subjectOf(pid, 'read');
    const { machine } = subject;
    const killing = Object.assign(Object.create(machine) as typeof machine, {
      list: (path: string) => {
        const names = machine.list(path);
        process.kill(pid, 'SIGKILL');
        while (!/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
        return names;
      },
    });
    const inside = await inspectPython({ ...subject, machine: killing });
    assert.deepEqual(
      inside.gaps.map(({ code, what }) => [code, what]),
      [['INSIDE_FAILED', `pid ${pid} ended while it was looked into`]],
    );
    assert.match(inside.version ?? '', /^3\./);
    // Now it is a zombie, which has no memory.
    const after = await inspectPython(subject);
    assert.deepEqual(
      after.gaps.map(({ code }) => code),
      ['INSIDE_FAILED'],
    );
  }),
);

test('500 threads are read in well under five seconds', { skip }, (t) =>
  withProgram([python, PROGRAM, 'threads', '500'], async ({ pid }) => {
    const began = performance.now();
    const inside = await inspect(pid);
    const tookMs = performance.now() - began;
    t.diagnostic(`500 threads in ${Math.round(tookMs)} ms`);
    assert.deepEqual(inside.gaps, []);
    const waiting = inside.strands?.filter(({ frames }) => own(frames).length === 21);
    assert.equal(waiting?.length, 500);
    assert.equal(new Set(inside.strands?.map(({ tid }) => tid)).size, 501);
    assert.ok(tookMs < 5000, `${tookMs} ms`);
  }),
);

test('a million objects are looked through in well under fifteen seconds', { skip }, (t) =>
  withProgram([python, PROGRAM, 'objects', '1000000'], async ({ pid }) => {
    const began = performance.now();
    const inside = await inspect(pid);
    const tookMs = performance.now() - began;
    t.diagnostic(`a million objects in ${Math.round(tookMs)} ms`);
    assert.deepEqual(inside.gaps, []);
    assert.equal(inside.objectsComplete, true);
    assert.ok(tookMs < 15_000, `${tookMs} ms`);
  }),
);

test(
  'of a program that makes and drops objects all the time, objects are called complete only when they are',
  {
    skip,
  },
  (t) =>
    withProgram([python, PROGRAM, 'churn', '20000'], async ({ pid }) => {
      const { subject } = await subjectOf(pid, 'read');
      const stuck = subject.sockets.filter(({ state }) => state === 'CLOSE_WAIT');
      const fds = stuck.flatMap(({ inode = 0 }) => subject.process.sockets?.get(inode) ?? []);
      assert.equal(fds.length, 20);
      let complete = 0;
      for (let look = 0; look < 20; look++) {
        const inside = await inspectPython(subject);
        const cut = inside.gaps.some(({ what }) => what.includes('objects'));
        assert.equal(inside.objectsComplete, !cut);
        if (cut) continue;
        complete++;
        const seen = new Set(inside.objects?.map(({ fd }) => fd));
        assert.ok(fds.every((fd) => seen.has(fd)));
      }
      t.diagnostic(`complete in ${complete} of 20 looks`);
      assert.ok(complete > 0);
    }),
);

const FOREIGN = 'int connect(int, const void *, int); int made(void) { return connect(-1, 0, 0); }';

test('where a library makes connections of its own, objects are never called complete', {
  skip: missing('root', 'python3', 'cc'),
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'unclosed-foreign-'));
  try {
    const library = join(folder, 'libforeign.so');
    writeFileSync(join(folder, 'foreign.c'), FOREIGN);
    execFileSync('cc', ['-shared', '-fPIC', '-w', '-o', library, join(folder, 'foreign.c')]);
    await withProgram([python, PROGRAM, 'foreign', library], async ({ pid }) => {
      const inside = await inspect(pid);
      assert.equal(inside.objectsComplete, false);
      assert.deepEqual(
        inside.gaps.map(({ code }) => code),
        ['INSIDE_CUT'],
      );
      assert.match(inside.gaps[0]?.what ?? '', /libforeign\.so/);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const LOOKS = 200;

/** Which function a line of the busy program calls. */
const CALLS: Record<string, string> = {
  [`spin:${lineOf('spin-outer')}`]: 'outer',
  [`outer:${lineOf('outer-middle')}`]: 'middle',
  [`middle:${lineOf('middle-inner')}`]: 'inner',
  [`middle:${lineOf('middle-other')}`]: 'other',
  [`inner:${lineOf('inner-helper')}`]: 'helper',
  [`other:${lineOf('other-genexpr')}`]: '<genexpr>',
};

for (const { version, path } of [...new Set([supported[0], supported.at(-1)])].flatMap((one) => one ?? [])) {
  test(`in ${LOOKS} looks at threads of CPython ${version} that never wait, every caller is at the line that calls`, {
    skip,
  }, async () => {
    await withProgram([path, PROGRAM, 'busy', '3'], async ({ pid }) => {
      const { subject } = await subjectOf(pid, 'read');
      let stacks = 0;
      for (let look = 0; look < LOOKS; look++) {
        const { strands = [], gaps } = await inspectPython(subject);
        assert.ok(gaps.every(({ code }) => code === 'INSIDE_CUT'));
        assert.equal(strands.length, 4);
        for (const { frames } of strands) {
          const calls = frames
            .filter(({ file = '' }) => file.endsWith('inside.py'))
            .map((frame) => ({ name: frame.function.replace(/^.*\./, ''), line: frame.line }));
          if (calls.at(-1)?.name !== 'spin') continue;
          stacks++;
          for (const [i, { name }] of calls.slice(0, -1).entries()) {
            const caller = calls[i + 1];
            assert.equal(CALLS[`${caller?.name}:${caller?.line}`], name, JSON.stringify(calls));
          }
        }
      }
      assert.ok(stacks > 300, `only ${stacks} stacks`);
    });
  });
}
