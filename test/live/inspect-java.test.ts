import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { after, before, test } from 'node:test';
import { liveMachine } from '../../src/app/machine.ts';
import type { Depth, Frame, Inside } from '../../src/model/inside.ts';
import { inspectJava } from '../../src/runtimes/java/inspect.ts';
import type { Subject } from '../../src/runtimes/subject.ts';
import { subjectOf } from './inside.ts';
import {
  assertUntouched,
  COMMONS_POOL,
  compile,
  type JavaOptions,
  type Jvm,
  lineOf,
  NEWER_JAVA,
  startJava,
  stateOf,
} from './java.ts';
import { stopProcess } from './program.ts';
import { waitFor } from './wait.ts';
import { missing } from './workload.ts';

const skip =
  missing('root', 'java', 'javac', 'setpriv', 'unshare') ||
  (!process.env.CI && !existsSync(COMMONS_POOL) && `needs ${COMMONS_POOL}`);
const LISTENER = /^Attach Listener$/;
const RECORDER = /^(?:Attach Listener|JFR .*)$/;
/** A thread of missing-close ends with its client. */
const RECORDER_AND_CLIENTS = /^(?:Attach Listener|JFR .*|missing-close-[0-9]+)$/;

let classes: ReturnType<typeof compile>;
before(() => {
  if (!skip) classes = compile();
});
after(() => classes?.remove());

/** Plays a case with some clients, and ends it in any case. */
async function playing(name: string, settings: JavaOptions, look: (jvm: Jvm) => Promise<void>): Promise<void> {
  const jvm = await startJava(classes.folder, name, settings);
  try {
    await jvm.visit(5);
    await jvm.stuck(name === 'pool' ? 1 : name === 'deadlock' ? 2 : 5);
    if (name === 'silent' || name === 'virtual') await jvm.asked(5);
    if (name === 'deadlock') await jvm.threads('deadlock-', 5);
    if (name === 'pool' || name === 'missing-close') await jvm.threads(`${name}-`, 0);
    await look(jvm);
  } finally {
    await jvm.stop();
  }
}

async function inspect(jvm: Jvm, depth: Depth, change: Partial<Subject> = {}): Promise<Inside> {
  const { subject } = await subjectOf(jvm.pid, depth);
  return inspectJava({ ...subject, ...change });
}

/** The innermost frame that the program's own code has. */
const ownFrame = (frames: readonly Frame[]): Frame | undefined => frames.find(({ origin }) => origin === 'application');

const places = (inside: Inside, name: RegExp): (string | undefined)[] =>
  inside.strands
    ?.filter((strand) => name.test(strand.name ?? ''))
    .map(({ frames }) => {
      const { function: method, file, line } = ownFrame(frames) ?? {};
      return `${method} ${file}:${line}`;
    }) ?? [];

const codes = ({ gaps }: Inside): string[] => gaps.map(({ code }) => code);

test('read: a JVM is recognised without being touched, and what asking would do is said', { skip }, () =>
  playing('silent', {}, async (jvm) => {
    const before = stateOf(jvm);
    const inside = await inspect(jvm, 'read');
    assert.deepEqual(codes(inside), ['INSIDE_NOT_ASKED']);
    assert.match(inside.gaps[0]?.remedy ?? '', /SIGQUIT/);
    assert.match(inside.version ?? '', /^[0-9.]+/);
    assert.deepEqual(inside.attachments, []);
    assertUntouched(jvm, before, /^$/);
  }),
);

test('what is no JVM is told so, and nothing is sent to it', { skip }, async () => {
  const child = spawn('sleep', ['60']);
  try {
    const machine = await liveMachine();
    const subject: Subject = {
      machine,
      process: { pid: child.pid ?? 0, name: 'sleep' },
      arch: process.arch,
      sockets: [],
      depth: 'deep',
      announce: () => assert.fail('something was announced'),
      signal: new AbortController().signal,
    };
    assert.deepEqual(codes(await inspectJava(subject)), ['INSIDE_UNSUPPORTED']);
    assert.equal(child.exitCode ?? child.signalCode, null);
  } finally {
    child.kill();
  }
});

test('the file that asks for the listener is gone after a fault of ours', { skip }, () => {
  const folder = mkdtempSync('/var/tmp/unclosed-trigger-');
  try {
    const module = new URL('../../src/runtimes/java/trigger.ts', import.meta.url);
    const code = `import { placeTrigger } from '${module}';
      import { readdirSync } from 'node:fs';
      placeTrigger({ pid: process.pid, nspid: process.pid, uid: 65534, gid: 65534, startTicks: 0 });
      console.log(readdirSync('.').join());
      throw new Error('a fault');`;
    const options = { cwd: folder, encoding: 'utf8' } as const;
    const { stdout, stderr, pid } = spawnSync(process.execPath, ['--input-type=module', '-e', code], options);
    assert.equal(stdout, `.attach_pid${pid}\n`, stderr);
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the line that waits for a silent service is named, with its thread in the kernel', { skip }, () =>
  playing('silent', {}, async (jvm) => {
    const before = stateOf(jvm);
    const inside = await inspect(jvm, 'attach');
    assert.deepEqual(inside.gaps, []);
    const found = places(inside, /^silent-/);
    assert.deepEqual(found, Array(5).fill(`Inside.ask Inside.java:${lineOf('silent')}`));
    const { tid } = inside.strands?.find(({ name }) => name === 'silent-0') ?? {};
    assert.equal(readFileSync(`/proc/${jvm.pid}/task/${tid}/comm`, 'utf8'), 'silent-0\n');
    assert.deepEqual(inside.deadlocks, []);
    assertUntouched(jvm, before, LISTENER);
    const second = await inspect(jvm, 'attach');
    assert.deepEqual(
      second.attachments.map(({ what }) => what),
      ['thread dump'],
    );
    assertUntouched(jvm, stateOf(jvm), /^$/);
  }),
);

for (const java of new Set([undefined, NEWER_JAVA])) {
  const which = java === undefined ? '' : ' (a newer JDK)';
  test(`a deadlock is told with both threads, and the lock that each waits for${which}`, { skip }, () =>
    playing('deadlock', java === undefined ? {} : { java }, async (jvm) => {
      const before = stateOf(jvm);
      const inside = await inspect(jvm, 'attach');
      const [circle = [], ...more] = inside.deadlocks?.map(({ strands }) => strands) ?? [];
      assert.deepEqual([circle.length, more], [2, []]);
      for (const [index, name] of circle.entries()) {
        const strand = inside.strands?.find((one) => one.name === name);
        assert.equal(strand?.waitsFor?.owner, circle[1 - index]);
        assert.match(strand?.waitsFor?.lock ?? '', /java\.lang\.Object/);
        const { function: method, line } = ownFrame(strand?.frames ?? []) ?? {};
        assert.deepEqual([method, line], ['Inside.book', lineOf('deadlock')]);
      }
      assertUntouched(jvm, before, LISTENER);
    }),
  );

  test(`the line that read the end of a connection and did not close it is named${which}`, { skip }, () =>
    playing('missing-close', java === undefined ? {} : { java }, async (jvm) => {
      const before = stateOf(jvm);
      const clients = setInterval(() => void jvm.visit(2), 200);
      const inside = await inspect(jvm, 'deep').finally(() => clearInterval(clients));
      assert.deepEqual(inside.gaps, []);
      assert.ok((inside.endReads?.length ?? 0) >= 10, `${inside.endReads?.length} ends`);
      for (const { frames, strand, agoMs, peer } of inside.endReads ?? []) {
        assert.match(strand ?? '', /^missing-close-[0-9]+$/);
        const own = frames.filter(({ origin }) => origin === 'application');
        const place = own.find(({ function: method }) => method === 'Inside.session');
        assert.deepEqual([place?.file, place?.line], ['Inside.java', lineOf('missing-close')]);
        assert.ok(agoMs >= 0 && agoMs < 15_000, `${agoMs} ms ago`);
        assert.equal(peer.address, '127.0.0.1');
      }
      // What the kernel has in CLOSE_WAIT is what was read to the end.
      const { subject } = await subjectOf(jvm.pid, 'read');
      const stuck = new Set(subject.sockets.filter(({ state }) => state === 'CLOSE_WAIT').map(({ peer }) => peer.port));
      assert.ok(inside.endReads?.every(({ peer }) => stuck.has(peer.port)));
      const session = inside.classes?.find(({ name }) => name === 'Inside$Session');
      assert.ok((session?.change ?? 0) >= 10, JSON.stringify(inside.classes));
      assertUntouched(jvm, before, RECORDER_AND_CLIENTS);
      // The recorder is there as before for whoever comes next.
      assert.match(jcmd(jvm, 'JFR.check'), /No available recordings/);
    }),
  );
}

const jcmd = ({ pid }: Jvm, command: string): string =>
  execFileSync('jcmd', [String(pid), command], { encoding: 'utf8' });

test(
  'a pool whose connections are not given back is named, with its objects and the line that waits for one',
  { skip },
  () =>
    playing('pool', {}, async (jvm) => {
      await jvm.visit(6);
      await jvm.stuck(8);
      await jvm.threads('pool-', 3);
      const before = stateOf(jvm);
      const inside = await inspect(jvm, 'deep');
      assert.deepEqual(inside.gaps, []);
      const [pool, ...others] = inside.pools ?? [];
      assert.deepEqual([pool?.name, others], ['Commons Pool', []]);
      assert.match(
        pool?.detail ?? '',
        /^8 [\w.]+DefaultPooledObject, 1 [\w.]+GenericObjectPool, 3 threads wait in it for a connection$/,
      );
      const place = `Inside$Pooled.price Inside.java:${lineOf('pool')}`;
      assert.deepEqual(places(inside, /^pool-[0-9]+$/), Array(3).fill(place));
      assertUntouched(jvm, before, RECORDER);
    }),
);

test(
  'virtual threads that wait are told, those that do the same once',
  {
    skip: skip || (NEWER_JAVA === undefined && 'needs JDK 21 or later'),
  },
  () =>
    playing('virtual', { java: NEWER_JAVA ?? 'java' }, async (jvm) => {
      await jvm.stuck(5);
      const before = stateOf(jvm);
      const inside = await inspect(jvm, 'attach');
      assert.deepEqual(inside.gaps, []);
      const waiting = inside.strands?.filter(({ frames }) => ownFrame(frames)?.function === 'Inside.ask') ?? [];
      assert.deepEqual(
        waiting.map(({ count, frames }) => [count, ownFrame(frames)?.line]),
        [[5, lineOf('silent')]],
      );
      assertUntouched(
        jvm,
        before,
        /^(?:Attach Listener|ForkJoinPool.*|VirtualThread-.*|(?:Master|Read-)Poller|Thread-[0-9]+)$/,
      );
    }),
);

test('a JVM of another user is asked as that user', { skip }, () =>
  playing('silent', { before: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] }, async (jvm) => {
    const before = stateOf(jvm);
    const inside = await inspect(jvm, 'attach');
    assert.deepEqual(inside.gaps, []);
    assert.equal(places(inside, /^silent-0$/)[0], `Inside.ask Inside.java:${lineOf('silent')}`);
    assertUntouched(jvm, before, LISTENER);
  }),
);

const CONTAINER = ['unshare', '--pid', '--mount', '--fork', '--kill-child', '--mount-proc', 'sh', '-c'];

test('a JVM of another user in a pid namespace with a /tmp of its own is asked, and its threads have our numbers', {
  skip,
}, () => {
  const inner = 'mount -t tmpfs -o mode=1777 none /tmp && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"';
  return playing('silent', { before: [...CONTAINER, inner, 'sh'] }, async (jvm) => {
    const before = stateOf(jvm);
    const inside = await inspect(jvm, 'deep');
    assert.deepEqual(inside.gaps, []);
    const { tid } = inside.strands?.find(({ name }) => name === 'silent-0') ?? {};
    assert.equal(readFileSync(`/proc/${jvm.pid}/task/${tid}/comm`, 'utf8'), 'silent-0\n');
    assert.equal(inside.watchedMs !== undefined && inside.watchedMs >= 4900, true);
    assertUntouched(jvm, before, RECORDER);
  });
});

test('a JVM in a user namespace of its own, in which our root is nobody, is asked as its user', { skip }, () => {
  const drop = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
  const inner = 'mount -t tmpfs -o mode=1777 none /tmp && exec "$@"';
  const before = [...drop, 'unshare', '--user', '--map-root-user', ...CONTAINER.slice(1), inner, 'sh'];
  return playing('silent', { before }, async (jvm) => {
    const before = stateOf(jvm);
    const inside = await inspect(jvm, 'attach');
    assert.deepEqual(inside.gaps, []);
    assert.equal(places(inside, /^silent-0$/)[0], `Inside.ask Inside.java:${lineOf('silent')}`);
    assertUntouched(jvm, before, LISTENER);
  });
});

test('of two JVMs with one number that share /tmp, the one that does not listen there is not asked', { skip }, () => {
  const inner = 'exec "$@"';
  return playing('silent', { before: [...CONTAINER, inner, 'sh'] }, (first) =>
    playing('silent', { before: [...CONTAINER, inner, 'sh'] }, async (second) => {
      assert.deepEqual((await inspect(first, 'attach')).gaps, []);
      const before = stateOf(second);
      const inside = await inspect(second, 'attach');
      assert.deepEqual(codes(inside), ['INSIDE_REFUSED']);
      assert.equal(inside.strands, undefined);
      assertUntouched(second, before, /^$/);
    }),
  );
});

test('a JVM that is stopped is refused, and nothing is sent to it', { skip }, () =>
  playing('silent', {}, async (jvm) => {
    const before = stateOf(jvm);
    stopProcess(jvm.pid);
    const inside = await inspect(jvm, 'deep');
    assert.deepEqual(codes(inside), ['INSIDE_REFUSED']);
    assert.deepEqual(inside.attachments, []);
    process.kill(jvm.pid, 'SIGCONT');
    await jvm.visit(1);
    await jvm.stuck(6);
    assertUntouched(jvm, before, /^silent-5$/);
  }),
);

const CGROUP = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].find((path) => existsSync(`${path}/cgroup.controllers`));

test(
  'a JVM that is frozen by its cgroup is refused, though it seems to sleep',
  {
    skip: skip || (CGROUP === undefined && 'needs cgroup version 2'),
  },
  () =>
    playing('silent', {}, async (jvm) => {
      await jvm.stuck(5);
      const before = stateOf(jvm);
      const group = `${CGROUP}/unclosed-java-test`;
      mkdirSync(group);
      try {
        writeFileSync(`${group}/cgroup.procs`, String(jvm.pid));
        writeFileSync(`${group}/cgroup.freeze`, '1');
        await waitFor(
          () => /^frozen 1$/m.test(readFileSync(`${group}/cgroup.events`, 'utf8')),
          () => 'the freezer',
        );
        const inside = await inspect(jvm, 'attach');
        assert.deepEqual(codes(inside), ['INSIDE_REFUSED']);
        assert.deepEqual(inside.attachments, []);
      } finally {
        writeFileSync(`${group}/cgroup.freeze`, '0');
        writeFileSync(`${CGROUP}/cgroup.procs`, String(jvm.pid));
        rmdirSync(group);
      }
      assertUntouched(jvm, before, /^$/);
    }),
);

for (const [what, options] of [
  ['its hsperfdata file', ['-XX:+DisableAttachMechanism']],
  ['its command line', ['-XX:+DisableAttachMechanism', '-XX:-UsePerfData']],
] as const) {
  test(`a JVM that forbids it is refused by ${what}, and writes nothing`, { skip }, () =>
    playing('silent', { options: [...options] }, async (jvm) => {
      const before = stateOf(jvm);
      const inside = await inspect(jvm, 'attach');
      assert.deepEqual(codes(inside), ['INSIDE_REFUSED']);
      assert.match(inside.gaps[0]?.what ?? '', /DisableAttachMechanism/);
      assertUntouched(jvm, before, /^$/);
      assert.equal(jvm.output(), '');
    }),
  );
}

test(
  'a JVM without a handler for SIGQUIT (-Xrs) gets none: it is asked by the socket that it has from its start',
  {
    skip,
  },
  () =>
    playing('silent', { options: ['-Xrs'] }, async (jvm) => {
      const before = stateOf(jvm);
      const inside = await inspect(jvm, 'attach');
      assert.deepEqual(inside.gaps, []);
      assert.deepEqual(
        inside.attachments.map(({ what }) => what),
        ['thread dump'],
      );
      assertUntouched(jvm, before, /^$/);
    }),
);

test('without a handler for SIGQUIT and without a socket it is refused', { skip }, () =>
  playing('silent', { options: ['-Xrs'] }, async (jvm) => {
    execFileSync('rm', [`/tmp/.java_pid${jvm.pid}`]);
    const before = stateOf(jvm);
    const inside = await inspect(jvm, 'attach');
    assert.deepEqual(codes(inside), ['INSIDE_REFUSED']);
    assertUntouched(jvm, before, /^$/);
  }),
);

test('a JVM that ends meanwhile leaves a gap and no file', { skip }, () =>
  playing('silent', {}, async (jvm) => {
    const inside = await inspect(jvm, 'deep', { announce: () => process.kill(jvm.pid, 'SIGKILL') });
    assert.deepEqual(codes(inside), ['INSIDE_FAILED']);
    assert.equal(inside.strands, undefined);
  }),
);

test('the socket of a JVM that was killed and had the same number is replaced', { skip }, () =>
  playing('silent', {}, async (jvm) => {
    const path = `/tmp/.java_pid${jvm.pid}`;
    const code = `require('node:net').createServer().listen('${path}', () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', code]);
    assert.ok(existsSync(path));
    const before = stateOf(jvm);
    const inside = await inspect(jvm, 'attach');
    assert.deepEqual(inside.gaps, []);
    assert.ok(inside.strands);
    assertUntouched(jvm, before, LISTENER);
  }),
);

test(
  'a JVM to which another tool attaches at this moment is left to that, and what such a tool left behind is removed',
  {
    skip,
  },
  () =>
    playing('silent', {}, async (jvm) => {
      const before = stateOf(jvm);
      const path = `${classes.folder}/.attach_pid${jvm.pid}`;
      writeFileSync(path, '');
      const refused = await inspect(jvm, 'attach');
      assert.deepEqual(codes(refused), ['INSIDE_REFUSED']);
      assert.ok(existsSync(path));
      const longAgo = Date.now() / 1000 - 60;
      utimesSync(path, longAgo, longAgo);
      const inside = await inspect(jvm, 'attach');
      assert.deepEqual(inside.gaps, []);
      assertUntouched(jvm, before, LISTENER);
    }),
);

test('of two looks at one time only one asks', { skip }, () =>
  playing('silent', {}, async (jvm) => {
    const both = await Promise.all([inspect(jvm, 'attach'), inspect(jvm, 'attach')]);
    const [refused, ...others] = both.filter(({ strands }) => strands === undefined);
    assert.deepEqual(others, []);
    assert.match(refused?.gaps[0]?.what ?? '', /another unclosed/);
  }),
);

test('a JVM with 500 threads tells all of them', { skip }, () =>
  playing('many', {}, async (jvm) => {
    const before = stateOf(jvm);
    const inside = await inspect(jvm, 'attach');
    assert.equal(inside.strands?.filter(({ name }) => name?.startsWith('idle-')).length, 500);
    assert.ok(inside.strands?.every(({ tid }) => tid !== undefined));
    assertUntouched(jvm, before, LISTENER);
  }),
);

test('a look that is ended early stops the recording and leaves no file', { skip }, () =>
  playing('missing-close', {}, async (jvm) => {
    const before = stateOf(jvm);
    const end = new AbortController();
    const began = Date.now();
    const announce = (sentence: string): void => {
      if (/records what is read/.test(sentence)) end.abort();
    };
    const inside = await inspect(jvm, 'deep', { signal: end.signal, announce });
    assert.ok(inside.strands);
    assert.ok(Date.now() - began < 5000);
    assertUntouched(jvm, before, RECORDER_AND_CLIENTS);
    assert.match(jcmd(jvm, 'JFR.check'), /No available recordings/);
  }),
);

test('recordings of others are left alone', { skip }, () =>
  playing('missing-close', {}, async (jvm) => {
    jcmd(jvm, 'JFR.start name=theirs');
    const inside = await inspect(jvm, 'deep');
    assert.deepEqual(codes(inside), ['INSIDE_REFUSED']);
    assert.match(inside.gaps[0]?.what ?? '', /theirs/);
    assert.match(jcmd(jvm, 'JFR.check'), /name=theirs.* \(running\)/);
    jcmd(jvm, 'JFR.stop name=theirs');
  }),
);
