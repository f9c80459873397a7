import { isGone, ParseError, SystemError } from '../model/errors.ts';
import type { Thread } from '../model/process.ts';
import { parseSyscall } from '../parse/syscall.ts';
import { type Machine, readText } from './machine.ts';

/** What the threads of a process wait for; undefined when that may not be read, or there are more than `most`. */
export function readThreads(machine: Machine, pid: number, arch: string, most: number): Thread[] | undefined {
  try {
    const tids = machine.list(`/proc/${pid}/task`).filter((name) => /^[0-9]+$/.test(name));
    if (tids.length > most) return undefined;
    return tids.flatMap((tid) => readThread(machine, pid, Number(tid), arch) ?? []);
  } catch (error) {
    if (error instanceof SystemError || error instanceof ParseError) return undefined;
    throw error;
  }
}

/** Undefined when the thread has ended. */
function readThread(machine: Machine, pid: number, tid: number, arch: string): Thread | undefined {
  const path = `/proc/${pid}/task/${tid}/syscall`;
  try {
    const wait = parseSyscall(readText(machine, path), arch, path);
    return { tid, ...(wait && { wait }) };
  } catch (error) {
    if (error instanceof SystemError && isGone(error)) return undefined;
    throw error;
  }
}
