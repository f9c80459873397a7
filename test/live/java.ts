import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { saidBy, threadNames, waitFor } from './wait.ts';

const SOURCE = fileURLToPath(new URL('../../workloads/java/Inside.java', import.meta.url));
export const COMMONS_POOL = '/usr/share/java/commons-pool2.jar';

/** Where distributions put JDKs. */
const JVMS = '/usr/lib/jvm';
/** A JDK of 21 or later to try beside the one on the path. */
export const NEWER_JAVA = (existsSync(JVMS) ? readdirSync(JVMS) : [])
  .filter((name) => /(?:^|-)(?:2[1-9]|[3-9][0-9])(?:-|$)/.test(name))
  .map((name) => join(JVMS, name, 'bin/java'))
  .find((path) => existsSync(path));

/** Compiles workloads/java/Inside.java for JDK 8 and later, where every user can read it, and not in /tmp. */
export function compile(): { folder: string; remove(): void } {
  const folder = mkdtempSync('/var/tmp/unclosed-java-');
  chmodSync(folder, 0o755);
  execFileSync('javac', ['-Xlint:-options', '--release', '8', '-cp', COMMONS_POOL, '-d', folder, SOURCE]);
  return { folder, remove: () => rmSync(folder, { recursive: true }) };
}

/** The line of Inside.java with this fault. */
export function lineOf(fault: string): number {
  const line = readFileSync(SOURCE, 'utf8')
    .split('\n')
    .findIndex((text) => text.endsWith(` // ${fault}`));
  assert.ok(line >= 0, fault);
  return line + 1;
}

export type Jvm = {
  pid: number;
  /** What it wrote beside READY. */
  output(): string;
  /** Clients that send a line and hang up. */
  visit(count: number): Promise<void>;
  /** So many connections of it are in CLOSE_WAIT. */
  stuck(count: number): Promise<void>;
  /** Waits until so many of its handlers have asked the service. */
  asked(count: number): Promise<void>;
  /** Waits until it has so many threads whose names begin so: the others have not begun, or have ended. */
  threads(prefix: string, count: number): Promise<void>;
  stop(): Promise<void>;
};

export type JavaOptions = {
  java?: string;
  /** Options of the JVM. */
  options?: string[];
  /** What starts it: setpriv, unshare. */
  before?: string[];
};

/** Starts java Inside CASE with a service that is silent; that of the case `pool` hangs up. */
export async function startJava(folder: string, name: string, settings: JavaOptions = {}): Promise<Jvm> {
  let questions = 0;
  const service = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => questions++);
    if (name === 'pool') socket.once('data', () => socket.end());
    socket.resume();
  });
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  const { port } = service.address() as AddressInfo;
  const { java = 'java', options = [], before = [] } = settings;
  const words = [...before, java, ...options, '-cp', `${folder}:${COMMONS_POOL}`, 'Inside', name, String(port)];
  const child = spawn(words[0] ?? '', words.slice(1), { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    const output = collectOutput(child);
    const listening = Number(await saidBy(child, /^READY ([0-9]+)\n/m, words.join(' ')));
    return jvmOf(child, service, output, listening, () => questions);
  } catch (error) {
    child.kill('SIGKILL');
    service.close();
    throw error;
  }
}

function collectOutput(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  return () => text;
}

function jvmOf(child: ChildProcess, service: Server, output: () => string, port: number, questions: () => number): Jvm {
  const pid = javaBelow(child.pid ?? 0);
  return {
    pid,
    output: () => output().replace(/^READY [0-9]+\n/m, ''),
    async visit(count) {
      for (let client = 0; client < count; client++) {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => {});
        socket.resume().end('question\n');
        await once(socket, 'connect');
      }
    },
    async stuck(count) {
      await waitFor(
        () => closeWaits(pid) >= count,
        () => `${count} sockets of ${pid} in CLOSE_WAIT`,
      );
    },
    async asked(count) {
      await waitFor(
        () => questions() >= count,
        () => `${count} questions of ${pid} to its service`,
      );
    },
    async threads(prefix, count) {
      const named = (): string[] => threadNames(pid).filter((name) => name.startsWith(prefix));
      await waitFor(
        () => named().length === count,
        () => `${count} threads ${prefix} of ${pid}, and not ${named()}`,
      );
    },
    async stop() {
      const ended = child.exitCode === null && child.signalCode === null && once(child, 'close');
      // It removes its own files then. setpriv takes away what would end it with its parent.
      if (ended && existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGTERM');
      const timer = setTimeout(() => killAll([pid, child.pid ?? pid]), END_MS);
      await ended;
      clearTimeout(timer);
      service.close();
    },
  };
}

const END_MS = 3_000;

function killAll(pids: number[]): void {
  for (const pid of new Set(pids)) if (existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGKILL');
}

/** unshare stays, and has a child. */
function javaBelow(pid: number): number {
  const below = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return below === '' ? pid : javaBelow(Number(below.split(' ')[0]));
}

/** In the whole network namespace, and of no other than the one JVM. */
function closeWaits(pid: number): number {
  const text = ['tcp', 'tcp6'].map((file) => readFileSync(`/proc/${pid}/net/${file}`, 'utf8')).join('');
  return text.split('\n').filter((line) => / 08 [0-9A-F]{8}:/.test(line)).length;
}

/** What must be the same after a look: its threads by name, its output, its files. */
export type State = { threads: string[]; output: string; files: string[] };

export function stateOf({ pid, output }: Jvm): State {
  const nspid = /^NSpid:.*?([0-9]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  const ours = new RegExp(`^(?:\\.attach_pid${nspid}|unclosed-[0-9a-f]{16}|[0-9_]{20}${nspid})$`);
  const files = ['cwd', 'root/tmp'].flatMap((place) =>
    readdirSync(`/proc/${pid}/${place}`).filter((n) => ours.test(n)),
  );
  return { threads: threadNames(pid).sort(), output: output(), files };
}

/** HotSpot starts and ends these as it needs them; a thread that has just begun is called java. */
const COMING_AND_GOING = /^(?:C[12] Compiler|GC Thread|G1 |Cleaner|java$)/;

/** Fails when anything of a JVM changed but what is said beforehand: the attach listener, the threads of JFR. */
export function assertUntouched(jvm: Jvm, before: State, expected: RegExp): void {
  const after = stateOf(jvm);
  assert.deepEqual(after.files, before.files);
  assert.equal(after.output, before.output);
  const more = [...after.threads];
  const lost = before.threads.filter((name) => {
    const at = more.indexOf(name);
    if (at >= 0) more.splice(at, 1);
    return at < 0;
  });
  assert.deepEqual(
    lost.filter((name) => !COMING_AND_GOING.test(name) && !expected.test(name)),
    [],
  );
  assert.deepEqual(
    more.filter((name) => !COMING_AND_GOING.test(name) && !expected.test(name)),
    [],
  );
}
