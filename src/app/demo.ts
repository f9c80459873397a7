import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { UnclosedError } from '../model/errors.ts';

// The leaking server, as a program of its own: it reads each request to its end and answers, and forgets to close when
// the client has closed (allowHalfOpen without an `end` handler is how Node programs do that). Clients are a second
// child, so that both ends are ordinary processes. Both end when the pipe to their parent does.
const SERVER = `
process.title = 'leaky-server';
process.stdin.resume().on('end', () => process.exit());
const server = require('net').createServer({ allowHalfOpen: true }, (socket) => socket.on('data', () => socket.write('ok\\n')));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;
const CLIENTS = `
process.stdin.resume().on('end', () => process.exit());
let left = Number(process.argv[2]);
for (let n = left; n > 0; n--) {
  const socket = require('net').connect(Number(process.argv[1]), '127.0.0.1', () => socket.write('hello\\n'));
  socket.on('data', () => socket.end(() => { if (--left === 0) console.log('done'); }));
}
`;

export const DEMO_CONNECTIONS = 42;

/** A small leaking server on loopback with its clients. `stop` ends both. */
export type Demo = { pid: number; port: number; stop: () => void };

const START_TIMEOUT_MS = 10_000;

export async function startDemo(): Promise<Demo> {
  const server = start(SERVER, []);
  const stops = [() => server.kill('SIGKILL')];
  const stop = (): void => {
    for (const it of stops) it();
  };
  try {
    const port = Number(await firstLine(server));
    const clients = start(CLIENTS, [String(port), String(DEMO_CONNECTIONS)]);
    stops.push(() => clients.kill('SIGKILL'));
    await firstLine(clients);
    return { pid: server.pid ?? 0, port, stop };
  } catch (error) {
    stop();
    throw error;
  }
}

const start = (program: string, args: string[]): ChildProcess =>
  spawn(process.execPath, ['-e', program, ...args], { stdio: ['pipe', 'pipe', 'ignore'] });

async function firstLine(child: ChildProcess): Promise<string> {
  const failed = (why: string): UnclosedError =>
    new UnclosedError('DEMO_FAILED', `the demo did not start: ${why}`, 'loopback and child processes must be allowed');
  if (!child.stdout) throw failed('no pipe');
  const abort = AbortSignal.timeout(START_TIMEOUT_MS);
  const ended = once(child, 'exit').then(([code]) => Promise.reject(failed(`it ended with ${code}`)));
  const line = once(child.stdout, 'data', { signal: abort }).then(([data]) => String(data).trim());
  try {
    return await Promise.race([line, ended]);
  } catch (error) {
    throw error instanceof UnclosedError ? error : failed((error as Error).message);
  } finally {
    ended.catch(() => {}); // its end later on is wanted
  }
}
