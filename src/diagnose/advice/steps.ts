import type { NextStep } from '../../model/finding.ts';
import type { Process } from '../../model/process.ts';

/** Lets a stopped process run on. A debugger's is not ours to let go. */
export function resume(process: Process | undefined): NextStep[] {
  if (process?.frozen)
    return [{ why: `thaw its cgroup (docker unpause, or whoever froze ${process.name}, pid ${process.pid})` }];
  if (process?.state === 'traced')
    return [{ why: `a debugger holds ${process.name} (pid ${process.pid}): let it continue, or detach` }];
  if (process?.state !== 'stopped') return [];
  return [{ command: `kill -CONT ${process.pid}`, why: 'lets it run on; find out who stopped it' }];
}

/**
 * The command that shows what the threads of a process do, without changing or ending it. py-spy would stop it for a
 * moment without --nonblocking; jstack stops a JVM for some milliseconds.
 */
export function lookAtThreads(process: Process | undefined): NextStep[] {
  // A stopped process answers nobody, and its threads wait for nothing but to be let go.
  if (!process || process.frozen || process.state === 'stopped' || process.state === 'traced') return [];
  const { pid, runtime } = process;
  if (runtime === 'java') return [{ command: `jstack ${pid}`, why: 'shows what each thread waits for' }];
  if (runtime === 'python')
    return [{ command: `py-spy dump --nonblocking --pid ${pid}`, why: 'shows the line of code each thread is in' }];
  return [{ command: `grep -H . /proc/${pid}/task/*/wchan`, why: 'shows what each thread waits for in the kernel' }];
}
