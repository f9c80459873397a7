import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Depth, Inside, SocketObject } from '../../src/model/inside.ts';
import { inspectNode } from '../../src/runtimes/node/inspect.ts';
import type { Subject } from '../../src/runtimes/subject.ts';
import { subjectOf } from './inside.ts';
import { threadNames, waitFor } from './wait.ts';

export const APP = fileURLToPath(new URL('../../workloads/node/inside.mjs', import.meta.url));
export const APP_CJS = APP.replace('.mjs', '.cjs');
const READY_MS = 20_000;

/** Other versions than the one that runs the tests, as scripts/test-runtimes.ts has installed them. */
export function nodeOf(version: number): { path: string; skip: string | false } {
  if (process.version.startsWith(`v${version}.`)) return { path: process.execPath, skip: false };
  const path = join(process.env.UNCLOSED_TEST_RUNTIMES ?? '', `node-${version}/node_modules/.bin/node`);
  const skip = `needs Node.js ${version}: UNCLOSED_TEST_RUNTIMES=$(node scripts/test-runtimes.ts)`;
  return { path, skip: !process.env.CI && !existsSync(path) && skip };
}

export type Program = {
  pid: number;
  /** What it has written so far. */
  out(): string;
  err(): string;
  isAlive(): boolean;
  threads(): string[];
  until(text: string): Promise<void>;
  stop(): Promise<void>;
};

/** Starts a program that prints READY. `pidOf` finds it where `command` only starts it. */
export async function startNode(command: string[], pidOf = (pid: number): number => pid): Promise<Program> {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { stdio: 'pipe', detached: true });
  const texts = { out: '', err: '' };
  child.stdout.on('data', (piece) => (texts.out += piece));
  child.stderr.on('data', (piece) => (texts.err += piece));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const until = (text: string): Promise<void> => appears(child, text, () => texts.out + texts.err);
  const stop = async (): Promise<void> => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, 'SIGKILL');
    await ended;
  };
  try {
    await until('READY');
  } catch (error) {
    await stop();
    throw error;
  }
  const pid = pidOf(child.pid ?? 0);
  return {
    pid,
    out: () => texts.out,
    err: () => texts.err,
    isAlive: () => /^State:\s+[RSD]/m.test(statusOf(pid)),
    threads: () => threadNames(pid),
    until,
    stop,
  };
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    return '';
  }
}

function appears(child: ChildProcess, text: string, read: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (read().includes(text)) done(resolve);
    };
    const fail = (why: string): void => done(() => reject(new Error(`${why} before ${text}: ${read()}`)));
    const timer = setTimeout(() => fail(`${READY_MS} ms went by`), READY_MS);
    const onExit = (): void => fail('it ended');
    const done = (then: () => void): void => {
      clearTimeout(timer);
      child.off('exit', onExit);
      for (const stream of [child.stdout, child.stderr]) stream?.off('data', look);
      then();
    };
    child.on('exit', onExit);
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', look);
    look();
  });
}

export type Looked = { inside: Inside; announced: string[] };

/** Looks into a program; `change` may replace parts of the subject first. */
export async function look(
  pid: number,
  depth: Depth,
  change: (subject: Subject) => Subject = (it) => it,
): Promise<Looked> {
  const { subject, announced } = await subjectOf(pid, depth);
  return { inside: await inspectNode(change(subject)), announced };
}

/** The inspector of a process, by its port in the table of its own network namespace. */
export const hasInspector = (pid: number): boolean =>
  /^ *[0-9]+: [0-9A-F]{8}:240D [0-9A-F]{8}:0000 0A /m.test(readFileSync(`/proc/${pid}/net/tcp`, 'latin1'));

/** The thread that talks to us is gone, and of threads only the pool of libuv (4) may have come. */
export async function assertUntouched(program: Program, before: readonly string[]): Promise<void> {
  assert.ok(program.isAlive(), `it has ended: ${program.err()}`);
  assert.equal(hasInspector(program.pid), false, 'its inspector is open');
  // It closes its socket a moment before it ends.
  await waitFor(
    () => !program.threads().includes('InspectorIo'),
    () => `the end of InspectorIo: ${program.threads()}`,
  );
  const now = program.threads();
  assert.ok(now.length <= before.length + 4, `${before.length} threads before, ${now.length} after`);
}

export const codes = ({ gaps }: Inside): string[] => gaps.map(({ code }) => code);

/** Where handlers for an event stand, as `file:line`, each once. */
export function placesOf(objects: readonly SocketObject[] = [], event: string): string[] {
  const places = objects.flatMap(({ handlers = [] }) => handlers.filter((it) => it.event === event));
  return [...new Set(places.map(({ place }) => `${place.file}:${place.line}`))];
}

/** The line of a file in which this stands. */
export function lineIn(file: string, text: string): string {
  const index = readFileSync(file, 'utf8')
    .split('\n')
    .findIndex((line) => line.includes(text));
  assert.ok(index >= 0, `${text} stands nowhere in ${file}`);
  return `${file}:${index + 1}`;
}
