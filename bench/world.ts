import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { World } from './case.ts';

const MAKER = fileURLToPath(new URL('make_sockets.py', import.meta.url));
const READY_MS = 120_000;
const END_MS = 20_000;

/** Makes a world, hands it to `look`, and takes it down again whatever happens. */
export async function inWorld<T>(make: string[], look: (world: World) => Promise<T>): Promise<T> {
  // It ends when its input does: also when we are killed.
  const maker = spawn('python3', [MAKER, ...make], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(maker, 'close');
  const limit = setTimeout(() => maker.kill('SIGKILL'), READY_MS);
  try {
    const world = await readyLine(maker.stdout, ended);
    clearTimeout(limit);
    return await look(world);
  } finally {
    clearTimeout(limit);
    maker.stdin.end();
    const late = setTimeout(() => maker.kill('SIGKILL'), END_MS);
    await ended;
    clearTimeout(late);
  }
}

async function readyLine(stdout: NodeJS.ReadableStream, ended: Promise<unknown>): Promise<World> {
  let text = '';
  const ready = new Promise<World>((resolve) => {
    stdout.setEncoding('utf8').on('data', (more: string) => {
      text += more;
      const line = /^READY (.*)\n/m.exec(text)?.[1];
      if (line !== undefined) resolve(JSON.parse(line) as World);
    });
  });
  const failed = ended.then(() => {
    throw new Error('make_sockets.py ended before READY; its own words are above');
  });
  return Promise.race([ready, failed]);
}
