import { readFileSync } from 'node:fs';
import { parseStat } from '../parse/proc-pid.ts';

/** pid of kthreadd, the parent of all kernel threads (init/main.c: rest_init). */
const KTHREADD = 2;

/** A kernel thread has no descriptors. Where those are not counted (before Linux 6.2) its parent tells. */
export function isKernelThread(pid: number): boolean {
  if (pid === KTHREADD) return true;
  const path = `/proc/${pid}/stat`;
  try {
    return parseStat(readFileSync(path, 'latin1'), path).parent === KTHREADD;
  } catch {
    return false; // it has ended, which the walk will notice
  }
}
