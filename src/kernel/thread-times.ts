import type { ProcessState } from '../model/process.ts';
import { parseStackTop, parseWchan } from '../parse/kernel-function.ts';
import { parseSchedstat, parseStat } from '../parse/proc-pid.ts';
import { attempt } from './attempt.ts';
import { type Machine, readText } from './machine.ts';

/** Where the scheduler keeps no statistics, time is counted in ticks. */
const TICK_MS = 10;

/** `usedMs` is the time that a thread was running, or would have with a processor of its own. */
export type ThreadLook = { name: string; state: ProcessState; usedMs: number };

/** Undefined when the thread has ended. */
export function lookAtThread(machine: Machine, pid: number, tid: number): ThreadLook | undefined {
  const path = `/proc/${pid}/task/${tid}`;
  const stat = attempt(() => parseStat(readText(machine, `${path}/stat`), `${path}/stat`));
  if (!stat) return undefined;
  const scheduled = attempt(() => parseSchedstat(readText(machine, `${path}/schedstat`), `${path}/schedstat`));
  const usedMs = scheduled ? scheduled.ranMs + scheduled.waitedMs : stat.cpuTicks * TICK_MS;
  return { name: stat.name, state: stat.state, usedMs };
}

/** The kernel's function in which a thread sleeps. The stack says it where wchan does not; only root may read it. */
export function readSleep(machine: Machine, pid: number, tid: number): string | undefined {
  const text = (file: string): string => attempt(() => readText(machine, `/proc/${pid}/task/${tid}/${file}`)) ?? '';
  return parseWchan(text('wchan')) ?? parseStackTop(text('stack'));
}
