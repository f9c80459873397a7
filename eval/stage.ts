import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BIN, type Run, run } from '../test/live/cli.ts';
import type { Ready } from './workload.ts';

const PLAY = fileURLToPath(new URL('../workloads/play.py', import.meta.url));
const READY_MS = 60_000;
const COMMAND_MS = 30_000;
const END_MS = 10_000;

export type Stage = {
  ready: Ready;
  /** Runs our command line beside the workload, in the same namespaces: as on a machine that has nothing else. */
  unclosed(...args: string[]): Promise<Run>;
};

/** Plays a workload in pid, mount and network namespaces of its own; they end, and with them all that is in them. */
export async function onStage<T>(name: string, build: string, look: (stage: Stage) => Promise<T>): Promise<T> {
  // Named network namespaces of others would be seen through their mounts.
  const inside = 'umount -R /run/netns 2> /dev/null; exec "$@"';
  const child = spawn(
    'unshare',
    [
      '--net',
      '--pid',
      '--fork',
      '--mount-proc',
      '--kill-child',
      'sh',
      '-c',
      inside,
      'sh',
      'python3',
      PLAY,
      name,
    ].concat(['--build', build]),
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  const ended = once(child, 'close');
  const limit = setTimeout(() => child.kill('SIGKILL'), READY_MS);
  try {
    const ready = await readyLine(child, ended);
    clearTimeout(limit);
    return await look({ ready, unclosed: (...args) => beside(firstInside(child), args) });
  } finally {
    clearTimeout(limit);
    child.stdin?.on('error', () => {}); // it may have ended already
    child.stdin?.end();
    const late = setTimeout(() => child.kill('SIGKILL'), END_MS);
    await ended;
    clearTimeout(late);
  }
}

async function readyLine(child: ChildProcess, ended: Promise<unknown>): Promise<Ready> {
  let out = '';
  let err = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err = (err + text).slice(-4000);
  });
  const ready = new Promise<Ready>((resolve) => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      const line = /^READY (.*)\n/m.exec(out)?.[1];
      if (line !== undefined) resolve(JSON.parse(line));
    });
  });
  const failed = ended.then(() => {
    throw new Error(`it ended before READY: ${err.trimEnd().split('\n').at(-1) || '(no words)'}`);
  });
  return Promise.race([ready, failed]);
}

/** The first process of the new pid namespace, by its pid out here. */
function firstInside({ pid }: ChildProcess): string {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
}

function beside(target: string, args: string[]): Promise<Run> {
  const nsenter = ['--target', target, '--net', '--pid', '--mount', process.execPath, BIN, ...args];
  return run('nsenter', nsenter, COMMAND_MS);
}
