import { attempt } from '../../kernel/attempt.ts';
import { type Machine, readText } from '../../kernel/machine.ts';
import type { Heap } from './heap.ts';
import type { NamedThread } from './thread-names.ts';
import type { PythonThread } from './threads.ts';
import { isTorn } from './torn.ts';

/**
 * Where glibc keeps the kernel's number of a thread, counted from the address that is pthread_self() (struct pthread in
 * nptl/descr.h); it was the same on x86_64 in all of glibc 2.x that was looked at.
 */
const GLIBC_TID: Readonly<Record<string, number>> = { x64: 0x2d0 };

/**
 * How often a thread has slept that sleeps or is stopped now. The same at two times, it did nothing in between: to sleep again is one
 * more (voluntary_ctxt_switches in proc_pid_status(5)).
 */
export function asleep(machine: Machine, pid: number, tid: number | undefined): string | undefined {
  if (tid === undefined) return undefined;
  const status = attempt(() => readText(machine, `/proc/${pid}/task/${tid}/status`)) ?? '';
  const state = /^State:\s*([SDTt])/m.exec(status)?.[1];
  const switches = /^voluntary_ctxt_switches:\s*([0-9]+)\nnonvoluntary_ctxt_switches:\s*([0-9]+)$/m.exec(status);
  return state && switches ? `${state} ${switches[1]} ${switches[2]}` : undefined;
}

/**
 * The kernel's number of a thread in our namespace, as the interpreter, threading or the C library has it. The first two can
 * be that of the process that this one was forked from.
 */
export function tidOf(
  heap: Heap,
  { nativeId, ident }: PythonThread,
  named: NamedThread | undefined,
  { tids, arch }: { tids: Map<number, number>; arch: string },
): number | undefined {
  for (const told of [nativeId, named?.nativeId]) if (told !== undefined && tids.has(told)) return tids.get(told);
  const offset = GLIBC_TID[arch];
  if (offset === undefined) return undefined;
  try {
    return tids.get(heap.memory.u32(ident + offset));
  } catch (error) {
    if (isTorn(error)) return undefined;
    throw error;
  }
}
