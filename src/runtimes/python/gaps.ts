import type { Gap } from '../../model/snapshot.ts';

const NO_STACKS = 'what its threads were doing is not known, nor what it still refers to';
const BY_HAND = 'run `py-spy dump --pid PID` (a tool of its own), or look into its logs';

export const denied = (pid: number, what: string, root: boolean): Gap => ({
  code: 'INSIDE_DENIED',
  what: `${what} of pid ${pid}: permission denied`,
  effect: NO_STACKS,
  remedy: root
    ? 'run on the host, not in a container or sandbox (root has no CAP_SYS_PTRACE here, or a security module forbids it)'
    : 'run as root, or with CAP_SYS_PTRACE',
});

export const failed = (pid: number, why: string): Gap => ({
  code: 'INSIDE_FAILED',
  what: `the memory of pid ${pid}: ${why}`,
  effect: NO_STACKS,
  remedy: `ask again; if it stays so: ${BY_HAND}`,
});

export const ended = (pid: number): Gap => ({
  code: 'INSIDE_FAILED',
  what: `pid ${pid} ended while it was looked into`,
  effect: 'what was read until then is all there is',
  remedy: 'nothing: its connections ended with it',
});

export const unsupported = (pid: number, what: string, remedy = BY_HAND): Gap => ({
  code: 'INSIDE_UNSUPPORTED',
  what: `pid ${pid} runs ${what}, whose memory is not understood here`,
  effect: NO_STACKS,
  remedy: remedy.replace('PID', String(pid)),
});

export const stacksCut = (threads: string[]): Gap => ({
  code: 'INSIDE_CUT',
  what: `${threads.length === 1 ? 'a thread' : `${threads.length} threads`} moved on all the time while looked at: ${listed(threads)}`,
  effect: 'of such a thread only the outer calls are given, or nothing',
  remedy: 'it computes: look again, or see which threads are busy with `top -H`',
});

const listed = (names: string[]): string =>
  names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;

export const objectsCut = (objects: number, reason: 'changing' | 'bounds'): Gap => ({
  code: 'INSIDE_CUT',
  what:
    reason === 'bounds'
      ? `only ${objects} objects of the program were looked at: it has more, or they took too long`
      : 'the lists of the program’s objects changed all the time while they were read',
  effect: 'a connection without an object may have one all the same, and tasks may be missing',
  remedy: reason === 'bounds' ? 'its threads are complete all the same' : 'look again when it has less to do',
});

export const tasksUnknown = (version: string): Gap => ({
  code: 'INSIDE_UNSUPPORTED',
  what: `the asyncio tasks of this CPython ${version} are laid out in a way that is not known here`,
  effect: 'coroutines that wait are not shown; threads and objects are',
  remedy: 'let the program print asyncio.all_tasks()',
});

export const tasksCut = (left: number): Gap => ({
  code: 'INSIDE_CUT',
  what: `${left === 1 ? 'one asyncio task was' : `${left} asyncio tasks were`} left out, or ran on while read`,
  effect: 'the tasks that are shown are not all',
  remedy: 'look again',
});

export const foreignConnections = (libraries: string[]): Gap => ({
  code: 'INSIDE_CUT',
  what: `libraries in the process make connections of their own: ${listed(libraries)}`,
  effect: 'a connection without an object of Python’s may be one of theirs: it is not known to be let go of',
  remedy: 'see what the program uses them for',
});

export const greenletsUnread = (count: number): Gap => ({
  code: 'INSIDE_UNSUPPORTED',
  what: `${count === 1 ? 'a greenlet' : `${count} greenlets`} (gevent, eventlet): the stacks of those that wait are not read`,
  effect: 'of the greenlets only that which runs is shown',
  remedy: 'let the program print gevent.util.print_run_info()',
});
