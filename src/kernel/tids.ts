import { parseStatus } from '../parse/proc-pid.ts';
import { attempt } from './attempt.ts';
import { type Machine, readText } from './machine.ts';

/** Numbers of the threads of a process, as we see them. Throws when they may not be listed. */
export const tidsOf = (machine: Machine, pid: number): number[] =>
  machine.list(`/proc/${pid}/task`).flatMap((name) => (/^[0-9]+$/.test(name) ? Number(name) : []));

/** The numbers of threads in the innermost pid namespace of their process, to ours. */
export function tidsByInner(machine: Machine, pid: number, tids: readonly number[]): Map<number, number> {
  const nspid = (path: string): number[] | undefined =>
    attempt(() => parseStatus(readText(machine, path), path))?.nspid;
  // With one column its namespace is ours, and no thread needs to be asked.
  const isOurs = nspid(`/proc/${pid}/status`)?.length === 1;
  const found = new Map<number, number>();
  for (const tid of tids) {
    const inner = isOurs ? tid : nspid(`/proc/${pid}/task/${tid}/status`)?.at(-1);
    if (inner !== undefined) found.set(inner, tid);
  }
  return found;
}
