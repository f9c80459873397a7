import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import process from 'node:process';
import type { Readable } from 'node:stream';
import { SystemError } from '../../model/errors.ts';
import type { Jvm } from './jvm.ts';
import type { OpenDirectory } from './trigger.ts';

export type Question = {
  bytes: Uint8Array;
  timeoutMs: number;
  mostBytes: number;
  signal: AbortSignal;
};

/** An answer; `cut` when it is longer than was asked for. */
export type Answer = { bytes: Uint8Array; cut: boolean };

/** Asks a unix socket once and reads to the end. As root, as the user of the JVM: it looks at who asks. */
export async function askSocket(directory: OpenDirectory, name: string, jvm: Jvm, question: Question): Promise<Answer> {
  const asRoot = process.geteuid?.() === 0;
  if (!asRoot || (jvm.uid === 0 && jvm.gid === 0)) return askDirectly(directory.path(name), question);
  try {
    return await askAs(directory, name, jvm, question);
  } catch (error) {
    // That user may not be allowed to run our program. HotSpot since 9 lets root ask too.
    if (error instanceof SystemError && error.call.startsWith('spawn'))
      return askDirectly(directory.path(name), question);
    throw error;
  }
}

function askDirectly(path: string, question: Question): Promise<Answer> {
  const socket = connect(path);
  socket.write(question.bytes); // a client that is silent keeps all others waiting
  return collect(socket, question, () => socket.destroy());
}

/** Whether somebody listens on a socket. */
export function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const give = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.once('connect', () => give(true));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => give(code !== 'ECONNREFUSED'));
  });
}

/** What the child runs: it asks the socket in the directory that is its descriptor 3, and ends with its input. */
const CHILD = `
const [name, question] = process.argv.slice(1);
const socket = require('node:net').connect('/proc/self/fd/3/' + name);
socket.on('error', ({ code }) => { process.stderr.write(String(code)); process.exit(1); });
socket.on('close', () => process.stdin.destroy());
socket.write(Buffer.from(question, 'base64'));
socket.pipe(process.stdout);
process.stdin.on('end', () => process.exit(1)).resume();
`;

/** Found also where it lies in a directory in which that user may not look, as with a Node.js in the home of root. */
const OWN_PROGRAM = '/proc/self/exe';

async function askAs({ fd }: OpenDirectory, name: string, { uid, gid }: Jvm, question: Question): Promise<Answer> {
  const request = Buffer.from(question.bytes).toString('base64');
  const child = spawn(OWN_PROGRAM, ['-e', CHILD, name, request], {
    uid,
    gid,
    cwd: '/',
    env: {},
    stdio: ['pipe', 'pipe', 'pipe', fd],
  });
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new SystemError('EIO', 'spawn');
  stdin.on('error', () => {}); // it has ended, which its exit tells
  let code = '';
  stderr.setEncoding('latin1').on('data', (text: string) => {
    code += text.slice(0, 100);
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => reject(new SystemError(error.code ?? 'EIO', 'spawn')));
    child.once('close', (status) => {
      if (status === 0 || status === null) resolve();
      else if (/^E[A-Z]+$/.test(code)) reject(new SystemError(code, `connect ${name}`));
      else reject(new SystemError('EIO', `spawn ${OWN_PROGRAM}`));
    });
  });
  ended.catch(() => {}); // whoever waits first tells
  const answer = await Promise.race([
    collect(stdout, question, (ended) => ended || child.kill('SIGKILL')),
    ended.then(() => undefined),
  ]);
  await ended;
  return answer ?? { bytes: new Uint8Array(), cut: false };
}

/** Reads to the end, and lets go in any case: `ended` says that the other side did. */
function collect(
  stream: Readable,
  { timeoutMs, mostBytes, signal }: Question,
  letGo: (ended: boolean) => void,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let length = 0;
    const finish = (ended: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      letGo(ended);
    };
    const give = (cut: boolean): void => {
      finish(!cut);
      resolve({ bytes: Buffer.concat(parts), cut });
    };
    const fail = (code: string): void => {
      finish(false);
      reject(new SystemError(code, 'ask the JVM'));
    };
    const timer = setTimeout(() => fail('ETIMEDOUT'), timeoutMs);
    const abort = (): void => fail('ECANCELED');
    signal.addEventListener('abort', abort);
    stream.on('data', (part: Buffer) => {
      parts.push(part);
      length += part.length;
      if (length > mostBytes) give(true);
    });
    stream.on('end', () => give(false));
    stream.on('close', () => give(false)); // without an end where the child could not be started
    stream.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? 'EIO'));
    if (signal.aborted) abort();
  });
}
