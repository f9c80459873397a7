import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Command, World } from './case.ts';

const MEASURE = fileURLToPath(new URL('measure.sh', import.meta.url));
const LIMIT_MS = 120_000;

/** One run of one command, or why there is none. */
export type Run = { seconds: number; peakKb: number; found?: number } | { error: string };

/** Runs a command in the world's network namespace, reads what it prints, and counts what it found. */
export async function measure(command: Command, world: World): Promise<Run> {
  const absent = command.needs.filter((program) => !isProgram(program));
  if (absent.length > 0) return { error: `missing: ${absent.join(', ')}` };
  const inside = ['nsenter', `--net=/proc/${world.pid}/ns/net`, MEASURE, ...command.run(world)];
  const child = spawn(inside[0] as string, inside.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
    detached: true,
  });
  const stop = () => child.pid && process.kill(-child.pid, 'SIGKILL');
  const limit = setTimeout(stop, LIMIT_MS);
  process.once('exit', stop);
  try {
    const [out, err, report] = await Promise.all(
      [child.stdout, child.stderr, child.stdio[3]].map((s) => textOf(s as Readable)),
    );
    return toRun(command, out ?? '', err ?? '', report ?? '');
  } finally {
    clearTimeout(limit);
    process.off('exit', stop);
  }
}

function toRun(command: Command, out: string, err: string, report: string): Run {
  if (report === '') return { error: err.trim() || `not done within ${LIMIT_MS / 1000} s` };
  const [seconds = Number.NaN, code = Number.NaN, peakKb = Number.NaN] = report.trim().split(' ').map(Number);
  if (!command.codes.includes(code)) return { error: `exit code ${code}: ${lastLine(err)}` };
  return { seconds, peakKb, ...(command.found && { found: command.found(out) }) };
}

const lastLine = (text: string) => text.trimEnd().split('\n').at(-1) ?? '';

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
}

export function isProgram(program: string): boolean {
  const folders = program.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter);
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), program.endsWith('.js') ? constants.R_OK : constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
