import { readFileSync } from 'node:fs';

/** pid of kthreadd, the parent of all kernel threads (init/main.c: rest_init). */
const KTHREADD = 2;

/** A kernel thread has no descriptors. Where those are not counted (before Linux 6.2) its parent tells. */
export function isKernelThread(pid: number): boolean {
  if (pid === KTHREADD) return true;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(parent) === KTHREADD;
  } catch {
    return false; // it has ended, which the walk will notice
  }
}
