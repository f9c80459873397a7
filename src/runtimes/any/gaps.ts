import type { Gap } from '../../model/snapshot.ts';

export const threadsGone = (pid: number): Gap => ({
  code: 'INSIDE_FAILED',
  what: `pid ${pid} has ended, or its threads may not be seen`,
  effect: 'nothing is known of its threads',
  remedy: 'look whether it is still there; run as root',
});

export const callsDenied = (pid: number): Gap => ({
  code: 'INSIDE_DENIED',
  what: `/proc/${pid}/task/TID/syscall: permission denied`,
  effect: 'what its threads wait for is not known, only their names and whether they run or sleep',
  remedy: 'run as root, or with CAP_SYS_PTRACE',
});

export const memoryDenied = (pid: number, code: string): Gap => ({
  code: 'INSIDE_DENIED',
  what: `/proc/${pid}/mem: ${code}`,
  effect: 'which descriptors its threads wait for in poll and select, and who has a lock, is not known',
  remedy: 'run as root, or with CAP_SYS_PTRACE',
});

export const memoryLeftAlone = (tid: number): Gap => ({
  code: 'INSIDE_CUT',
  what: `thread ${tid} sleeps uninterruptibly: the memory of the process was not read, for that can wait as long`,
  effect: 'which descriptors its threads wait for in poll and select, and who has a lock, is not known',
  remedy: 'run it again when that thread goes on',
});

export const callsUnknown = (what: string): Gap => ({
  code: 'INSIDE_UNSUPPORTED',
  what,
  effect: 'what its threads wait for is not known, only their names and whether they run or sleep',
  remedy: 'strace -f -p PID shows it (each call of the program stops for a moment)',
});

export const threadsCut = (left: number): Gap => ({
  code: 'INSIDE_CUT',
  what: `${left} threads were not looked at, for there are too many`,
  effect: 'they may be the ones that wait for a stuck connection',
  remedy: 'nothing; those that were looked at are mostly like the others',
});

export const epollCut = (sockets: number): Gap => ({
  code: 'INSIDE_CUT',
  what: `its epoll sets were not read: it has ${sockets} sockets, and its event loops wait while the kernel lists them`,
  effect: 'whether an event loop watches the stuck connections is not known',
  remedy: 'nothing',
});
