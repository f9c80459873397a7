import type { NextStep } from '../../model/finding.ts';
import type { Process, Runtime } from '../../model/process.ts';

/** Lets a stopped process run on. A debugger's is not ours to let go. */
export function resume(process: Process | undefined): NextStep[] {
  if (process?.frozen)
    return [{ why: `thaw its cgroup (docker unpause, or whoever froze ${process.name}, pid ${process.pid})` }];
  if (process?.state === 'traced')
    return [{ why: `a debugger holds ${process.name} (pid ${process.pid}): let it continue, or detach` }];
  if (process?.state !== 'stopped') return [];
  return [{ command: `kill -CONT ${process.pid}`, why: 'lets it run on; find out who stopped it' }];
}

/** Runtimes that tell more than the kernel does, and whether they have to be asked for it. */
const TELLS: Partial<Record<Runtime, { attach: boolean; threads: string; objects: string }>> = {
  java: { attach: true, threads: 'shows the stack of each thread', objects: 'the code that left them open' },
  node: {
    attach: true,
    threads: 'shows what the event loop runs',
    objects: 'the objects, and the code that handles them',
  },
  python: { attach: false, threads: 'shows the line of code each thread is in', objects: 'what still refers to them' },
  go: { attach: true, threads: 'shows what each goroutine waits for', objects: 'whether their handlers still run' },
};

/** The command that shows what the threads of a process do, without ending or changing it. */
export function lookAtThreads(process: Process | undefined): NextStep[] {
  if (!process || isHalted(process)) return [];
  const tells = process.runtime && TELLS[process.runtime];
  return [inspection(process, tells?.threads ?? 'shows what each thread waits for')];
}

/** The command that ties the sockets to code, where the runtime is known to tell. */
export function lookInside(process: Process | undefined): NextStep[] {
  const tells = process?.runtime && TELLS[process.runtime];
  return !process || !tells || isHalted(process) ? [] : [inspection(process, tells.objects)];
}

const inspection = ({ pid, runtime }: Process, why: string): NextStep => ({
  command: `unclosed inspect ${pid}${runtime && TELLS[runtime]?.attach ? ' --attach' : ''}`,
  why,
});

/** A stopped process answers nobody, and its threads wait for nothing but to be let go. */
const isHalted = ({ frozen, state }: Process): boolean => frozen === true || state === 'stopped' || state === 'traced';
