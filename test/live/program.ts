import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Inside } from '../../src/model/inside.ts';
import type { LogFindings } from '../../src/model/logs.ts';
import { ofThreads, saidBy } from './wait.ts';

/** What a program of a test says of itself, and how to end it. */
export type Program<Said> = Said & { child: ChildProcess; stop(): Promise<void> };

export type StartOptions = {
  env?: Record<string, string>;
  /** Where its standard error goes; READY is looked for in its output, so that is a pipe. */
  stderr?: 'pipe' | number;
  /** Further descriptors of ours that it gets, from 3 on. */
  files?: number[];
};

/** Starts a program that prints `READY` with JSON behind it, and ends with its input. */
export async function startReady<Said>(
  command: string[],
  { env, stderr = 'pipe', files = [] }: StartOptions = {},
): Promise<Program<Said>> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', stderr, ...files], env: { ...process.env, ...env } });
  const closed = new Promise<void>((done) => {
    child.once('close', () => done());
    child.once('error', () => done());
  });
  const stop = async (): Promise<void> => {
    child.stdin?.on('error', () => {}); // it may have ended already
    child.stdin?.end();
    child.kill('SIGCONT');
    child.kill('SIGKILL');
    await closed;
  };
  try {
    return { ...(JSON.parse(await saidBy(child, /^READY (.*)\n/m, command.join(' '))) as Said), child, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Stops a process, and returns when all its threads have: the signal is only on its way when kill(2) returns. */
export function stopProcess(pid: number): void {
  process.kill(pid, 'SIGSTOP');
  while (ofThreads(pid, 'stat').some((stat) => !/\) T /.test(stat))) spawnSync('true');
}

/** A folder for what tests make, and C programs of this folder, compiled into it. */
export function workshop(): { folder: string; compile(source: string, ...flags: string[]): string; clear(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'unclosed-inspect-'));
  return {
    folder,
    compile(source, ...flags) {
      const target = join(folder, `${source}${flags.join('')}`.replace(/[^a-z0-9]/g, '-'));
      const path = fileURLToPath(new URL(source, import.meta.url));
      const { status, stderr } = spawnSync('cc', ['-O1', '-pthread', ...flags, '-o', target, path], {
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(`cc ${source}: ${stderr}`);
      return target;
    },
    clear: () => rmSync(folder, { recursive: true }),
  };
}

export const NOBODY = 65_534;

/**
 * What nobody sees inside of a process: its threads, and its logs. The checkout may lie where nobody can read it, so the modules
 * are loaded first and the rights dropped then.
 */
export async function lookAsNobody(pid: number): Promise<{ inside: Inside; logs: LogFindings }> {
  const from = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const script = `
    const { subjectOf } = await import(${from('inside.ts')});
    const { inspectThreads } = await import(${from('../../src/runtimes/any/inspect.ts')});
    const { readLogs } = await import(${from('../../src/runtimes/logs/read.ts')});
    const { liveMachine } = await import(${from('../../src/app/machine.ts')});
    await liveMachine();
    process.setgroups([]);
    process.setgid(${NOBODY});
    process.setuid(${NOBODY});
    const process_ = { pid: ${pid}, name: 'program' };
    const { subject } = await subjectOf(${pid}, 'read').catch(async () => ({
      subject: {
        machine: await liveMachine(), process: process_, arch: process.arch, sockets: [], depth: 'read',
        announce() {}, signal: new AbortController().signal,
      },
    }));
    process.stdout.write(JSON.stringify({ inside: inspectThreads(subject), logs: await readLogs(subject, Date.now()) }));`;
  const args = ['--input-type=module', '-e', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1e8 });
  return JSON.parse(stdout);
}
