import { attempt } from '../../kernel/attempt.ts';
import { type Machine, readText } from '../../kernel/machine.ts';
import { lookAtThread, type ThreadLook } from '../../kernel/thread-times.ts';
import { tidsOf } from '../../kernel/tids.ts';
import { isDenied, ParseError, SystemError } from '../../model/errors.ts';
import { parseRawCall, type RawCall } from '../../parse/syscall.ts';

/** A thread at one moment. Without `raw` it is in no system call, or that may not be read. */
export type SeenThread = ThreadLook & { tid: number; raw?: RawCall };

/** `left` are threads beyond the bound. `denied`: in which calls they are may not be read. */
export type SeenThreads = { threads: SeenThread[]; left: number; denied: boolean };

/** 30 microseconds each. */
const MOST_THREADS = 4000;

/** Undefined when the process has ended. One whose threads may not be listed at all looks so too. */
export function seeThreads(machine: Machine, pid: number): SeenThreads | undefined {
  const tids = attempt(() => tidsOf(machine, pid));
  if (!tids || tids.length === 0) return undefined;
  const seen: SeenThreads = { threads: [], left: Math.max(0, tids.length - MOST_THREADS), denied: false };
  for (const tid of tids.slice(0, MOST_THREADS)) {
    const look = lookAtThread(machine, pid, tid);
    if (!look) continue; // it has ended
    const raw = seen.denied ? undefined : readCall(machine, pid, tid);
    if (raw === 'denied') seen.denied = true;
    seen.threads.push({ ...look, tid, ...(raw && raw !== 'denied' && { raw }) });
  }
  return seen;
}

export function readCall(machine: Machine, pid: number, tid: number): RawCall | 'denied' | undefined {
  const path = `/proc/${pid}/task/${tid}/syscall`;
  try {
    return parseRawCall(readText(machine, path), path);
  } catch (error) {
    if (isDenied(error)) return 'denied';
    if (error instanceof SystemError || error instanceof ParseError) return undefined;
    throw error;
  }
}

/** Whether a thread is in one and the same call: with other arguments, or another stack, it has been elsewhere meanwhile. */
export const isSameCall = (one: RawCall, other: RawCall | 'denied' | undefined): boolean =>
  other !== undefined &&
  other !== 'denied' &&
  one.number === other.number &&
  one.stack === other.stack &&
  one.arguments.every((argument, i) => argument === other.arguments[i]);
