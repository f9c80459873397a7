import type { Case, Cause, NextStep } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import { formatEndpoint } from '../model/words.ts';
import { silentServices, waitsTogether } from './waits.ts';

/** What to do next about a cause: plain steps first, then the commands that tell more. */
export function nextSteps(cause: Cause, subject: Case, asRoot: boolean): NextStep[] {
  const { process, listener } = subject;
  switch (cause) {
    case 'churn':
    case 'half-close':
      return [];
    case 'stalled':
      return process?.state === 'stopped'
        ? [{ command: `kill -CONT ${process.pid}`, why: 'lets it run on; first find out who stopped it, and why' }]
        : [...silentEnds(subject), ...threadsOf(process)];
    case 'accept-backlog': {
      const at = listener ? formatEndpoint(listener.local) : 'the port';
      // With forked workers it is they who accept, and not the process that made the listener.
      const [worker] = subject.coHolders;
      return [
        ...resume(process),
        { why: `find out why ${name(worker?.process ?? process)} does not call accept() on ${at}` },
        ...silentEnds(subject),
        ...threadsOf(worker?.process ?? process),
      ];
    }
    case 'closed-but-held':
      return [
        {
          why: 'look for a shutdown() without close(), and for error paths: a connection that was reset must be closed too',
        },
        ...(process
          ? [{ command: `lsof -nP -a -p ${process.pid} | grep 'protocol: TCP'`, why: 'lists the descriptors' }]
          : []),
      ];
    default:
      return [...whoIsIt(subject, asRoot), ...resume(process), ...threadsOf(process), ...listSockets(process)];
  }
}

/** A call without a time-out waits for ever for an end that says nothing. */
function silentEnds(subject: Case): NextStep[] {
  const ends = silentServices(waitsTogether(subject));
  if (ends.length === 0) return [];
  return [
    { why: `find out why ${ends.join(', ')} does not answer, and give the calls to it a time-out (connect and read)` },
  ];
}

const name = (process: Process | undefined): string =>
  process ? `${process.name} (pid ${process.pid})` : 'the listener';

const resume = (process: Process | undefined): NextStep[] =>
  process?.state === 'stopped'
    ? [{ command: `kill -CONT ${process.pid}`, why: 'the process is stopped: this lets it run on' }]
    : [];

function whoIsIt({ kind }: Case, asRoot: boolean): NextStep[] {
  if (kind !== 'unowned') return [];
  return asRoot
    ? [{ why: 'look from the host: their holder may be in another pid namespace, use io_uring, or be passing them on' }]
    : [{ command: 'sudo unclosed', why: 'sees the descriptors of all processes' }];
}

const listSockets = (process: Process | undefined): NextStep[] =>
  process ? [{ command: `unclosed ${process.pid} --sockets`, why: 'lists each socket with its age and queues' }] : [];

/**
 * The command that shows what the threads of a process do, without changing or ending it. py-spy would stop it for a
 * moment without --nonblocking; jstack stops a JVM for some milliseconds.
 */
function threadsOf(process: Process | undefined): NextStep[] {
  // A stopped process answers nobody, and its threads wait for nothing but to be let go.
  if (!process || process.state === 'stopped' || process.state === 'traced') return [];
  const { pid, runtime } = process;
  if (runtime === 'java') return [{ command: `jstack ${pid}`, why: 'shows what each thread waits for' }];
  if (runtime === 'python')
    return [{ command: `py-spy dump --nonblocking --pid ${pid}`, why: 'shows the line of code each thread is in' }];
  return [{ command: `grep -H . /proc/${pid}/task/*/wchan`, why: 'shows what each thread waits for in the kernel' }];
}
