import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 30_000;
const STEP_MS = 10;

type Looked<T> = T | undefined | false;

/** Waits for a state, and not for a time: looks again until something is there, and gives it. */
export async function waitFor<T>(look: () => Looked<T> | Promise<Looked<T>>, what: () => string): Promise<T> {
  for (const until = performance.now() + PATIENCE_MS; ; await sleep(STEP_MS)) {
    const found = await look();
    if (found) return found;
    if (performance.now() > until) throw new Error(`waited in vain for ${what()}`);
  }
}

/** What the first group of a pattern finds in the standard output of a program; throws when it ends before. */
export function saidBy(child: ChildProcess, pattern: RegExp, program: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let out = '';
    let err = '';
    const fail = (what: string): void => {
      clearTimeout(timer);
      reject(new Error(`${program}: ${what}\nstdout: ${out || '(empty)'}\nstderr: ${err || '(empty)'}`));
    };
    const timer = setTimeout(() => fail(`nothing like ${pattern} after ${PATIENCE_MS / 1000} s`), PATIENCE_MS);
    child.once('error', (error) => fail(error.message));
    child.once('close', (code, signal) => fail(`ended with ${signal ?? code}, and said nothing like ${pattern}`));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      const said = pattern.exec(out)?.[1];
      if (said === undefined) return;
      clearTimeout(timer);
      resolve(said);
    });
  });
}

/** A file of each thread of a process, those left out that end meanwhile. */
export const ofThreads = (pid: number, file: string): string[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((tid) => {
    try {
      return readFileSync(`/proc/${pid}/task/${tid}/${file}`, 'latin1');
    } catch {
      return [];
    }
  });

export const threadNames = (pid: number): string[] => ofThreads(pid, 'comm').map((name) => name.trim());

/** A program goes on for a moment after it has said READY. */
export const untilAsleep = (pid: number): Promise<boolean> =>
  waitFor(
    () => /^State:\tS/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')),
    () => `sleep of pid ${pid}`,
  );
