import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { saidBy } from './wait.ts';

const WORKLOADS = fileURLToPath(new URL('../../workloads/', import.meta.url));
const END_MS = 3_000;

/** What a workload says about itself; workloads/README.md explains each field. */
export type Truth = {
  case: string;
  family: '4' | '6' | 'mapped';
  port: number;
  side: 'local' | 'peer';
  count: number;
  pid: number;
  pids: number[];
  fds: number[];
  inodes: number[];
  /** Unix time in seconds at which each FIN was sent, in the order of `fds`. */
  entered_at: number[];
  recv_queue: number | null;
  cache_port?: number;
  queue?: number;
  limit?: number;
  listener_inode?: number;
  peer_pid?: number;
  parent_pid?: number;
  giver_pid?: number;
  worker_pid?: number;
  reset_at?: number[];
  acknowledged_at?: number;
  timer?: number;
  at_most?: number;
  stays_seconds?: number;
  name?: string;
  argument?: string;
};

export type Workload = { truth: Truth; stop(): Promise<void> };
export type WorkloadOptions = { count?: number; family?: Truth['family']; args?: string[] };

/** Starts workloads/stuck.py and resolves when the kernel shows the promised state. */
export async function startWorkload(name: string, options: WorkloadOptions = {}): Promise<Workload> {
  const args = ['stuck.py', name, ...(options.args ?? [])];
  if (options.count !== undefined) args.push('--count', String(options.count));
  if (options.family !== undefined) args.push('--family', options.family);
  return startProgram(args);
}

/** Starts a program of workloads/ with its arguments. */
export async function startProgram([program = '', ...rest]: string[]): Promise<Workload> {
  const args = [`${WORKLOADS}${program}`, ...rest];
  // Its own process group, so that stop() reaches grandchildren too.
  const child = spawn('python3', args, { detached: true, stdio: 'pipe' });
  const stop = stopper(child);
  try {
    const truth = await saidBy(child, /^READY (.*)\n/m, `python3 ${args.join(' ')}`);
    return { truth: JSON.parse(truth) as Truth, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function stopper(child: ChildProcess): () => Promise<void> {
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  return async () => {
    child.stdin?.on('error', () => {}); // it may have ended already
    child.stdin?.end();
    const timer = setTimeout(() => killGroup(child.pid), END_MS);
    await closed;
    clearTimeout(timer);
    killGroup(child.pid);
  };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Why a live test cannot run here, for node:test's `skip`. Where CI is set it must run, and then fails by itself. */
export function missing(...what: string[]): string | false {
  if (process.env.CI) return false;
  const absent = what.filter((name) => !(name === 'root' ? process.getuid?.() === 0 : onPath(name)));
  return absent.length > 0 && `needs ${absent.join(', ')}`;
}

function onPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
