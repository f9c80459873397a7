import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Evidence } from '../model/relief.ts';
import { record } from './record.ts';

/** Looks into a process without changing it, and gives what it found as JSON text; undefined when it cannot. */
export type Inspect = (pid: number) => Promise<string | undefined>;

/** A process that does not answer must not keep help from it. */
const INSPECT_MS = 5000;

/** Records the machine, or throws; looks into the processes as far as they let themselves be looked into. */
export async function saveEvidence(
  directory: string,
  pids: number[],
  { stuckAfterMs, inspect }: { stuckAfterMs: number; inspect?: Inspect | undefined },
): Promise<Evidence> {
  await record(directory, { scrub: false, stuckAfterMs });
  const evidence: Evidence = { recording: directory, inspected: [], missed: [] };
  if (!inspect) return evidence;
  await Promise.all(
    pids.map(async (pid) => {
      try {
        const text = await within(INSPECT_MS, inspect(pid));
        if (text === undefined) return;
        const path = join(directory, `inspect-${pid}.json`);
        writeFileSync(path, text, { flag: 'wx', mode: 0o600 });
        evidence.inspected.push({ pid, path });
      } catch (error) {
        evidence.missed.push({ pid, why: (error as Error).message });
      }
    }),
  );
  return evidence;
}

async function within<T>(milliseconds: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${milliseconds / 1000} s`)), milliseconds);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
