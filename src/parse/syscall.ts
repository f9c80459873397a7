import { ParseError } from '../model/errors.ts';
import type { Wait } from '../model/process.ts';

// Numbers of system calls in which threads wait: arch/x86/entry/syscalls/syscall_64.tbl, and for arm64 (as for riscv64
// and loongarch64) scripts/syscall.tbl, formerly include/uapi/asm-generic/unistd.h. The first argument of those with a
// descriptor is that descriptor.
type Known = { call: string; kind: Wait['kind']; onFd: boolean; x64: number; generic: number };

const onFd = (kind: Wait['kind'], call: string, x64: number, generic: number): Known => ({
  call,
  kind,
  onFd: true,
  x64,
  generic,
});
const plain = (kind: Wait['kind'], call: string, x64: number, generic: number): Known => ({
  call,
  kind,
  onFd: false,
  x64,
  generic,
});

const CALLS: readonly Known[] = [
  onFd('receive', 'read', 0, 63),
  onFd('receive', 'readv', 19, 65),
  onFd('receive', 'recvfrom', 45, 207),
  onFd('receive', 'recvmsg', 47, 212),
  onFd('receive', 'recvmmsg', 299, 243),
  onFd('send', 'write', 1, 64),
  onFd('send', 'writev', 20, 66),
  onFd('send', 'sendto', 44, 206),
  onFd('send', 'sendmsg', 46, 211),
  onFd('connect', 'connect', 42, 203),
  onFd('accept', 'accept', 43, 202),
  onFd('accept', 'accept4', 288, 242),
  onFd('events', 'epoll_pwait', 281, 22),
  onFd('events', 'epoll_pwait2', 441, 441),
  plain('events', 'pselect6', 270, 72),
  plain('events', 'ppoll', 271, 73),
  plain('events', 'io_uring_enter', 426, 426),
  plain('lock', 'futex', 202, 98),
  plain('lock', 'futex_waitv', 449, 449),
  plain('sleep', 'nanosleep', 35, 101),
  plain('sleep', 'clock_nanosleep', 230, 115),
  plain('child', 'wait4', 61, 260),
  plain('child', 'waitid', 247, 95),
];

// Calls in which threads are seen without waiting for anything that a diagnosis is about. Those on files have the
// descriptor first.
const OTHERS: readonly [call: string, onFd: boolean, x64: number, generic: number | undefined][] = [
  ['pause', false, 34, undefined],
  ['open', false, 2, undefined],
  ['openat', false, 257, 56],
  ['close', true, 3, 57],
  ['fcntl', true, 72, 25],
  ['ioctl', true, 16, 29],
  ['flock', true, 73, 32],
  ['fsync', true, 74, 82],
  ['fdatasync', true, 75, 83],
  ['fallocate', true, 285, 47],
  ['sync', false, 162, 81],
  ['pread64', true, 17, 67],
  ['pwrite64', true, 18, 68],
  ['sendfile', true, 40, 71],
  ['splice', true, 275, 76],
  ['sendmmsg', true, 307, 269],
  ['shutdown', true, 48, 210],
  ['semop', false, 65, 193],
  ['semtimedop', false, 220, 192],
  ['msgrcv', false, 70, 188],
  ['msgsnd', false, 69, 189],
  ['mq_timedreceive', false, 243, 183],
  ['rt_sigtimedwait', false, 128, 137],
  ['rt_sigsuspend', false, 130, 133],
  ['restart_syscall', false, 219, 128],
  ['io_getevents', false, 208, 4],
  ['sched_yield', false, 24, 124],
  ['mmap', false, 9, 222],
  ['munmap', false, 11, 215],
  ['mprotect', false, 10, 226],
  ['madvise', false, 28, 233],
  ['membarrier', false, 324, 283],
  ['getrandom', false, 318, 278],
  ['vfork', false, 58, undefined],
  ['clone', false, 56, 220],
  ['clone3', false, 435, 435],
  ['execve', false, 59, 221],
  ['exit', false, 60, 93],
  ['exit_group', false, 231, 94],
  ['statx', false, 332, 291],
  ['newfstatat', false, 262, 79],
  ['unlinkat', false, 263, 35],
];

// Calls that only x86-64 still has.
const X64_ONLY: readonly [number, string, boolean][] = [
  [232, 'epoll_wait', true],
  [7, 'poll', false],
  [23, 'select', false],
];

/** What a call is: its name, what threads wait for in it where that is known, and whether its first argument is a descriptor. */
export type Meaning = { call: string; kind?: Wait['kind']; onFd: boolean };
type Waiting = Meaning & { kind: Wait['kind'] };

const TABLES: Record<string, ReadonlyMap<number, Waiting>> = {
  x64: new Map<number, Waiting>([
    ...CALLS.map((known): [number, Waiting] => [known.x64, known]),
    ...X64_ONLY.map(([number, call, fd]): [number, Waiting] => [number, { call, kind: 'events', onFd: fd }]),
  ]),
  arm64: new Map(CALLS.map((known) => [known.generic, known])),
};

const OTHER_TABLES: Record<string, ReadonlyMap<number, Meaning>> = {
  x64: new Map(OTHERS.map(([call, onFd, x64]) => [x64, { call, onFd }])),
  arm64: new Map(OTHERS.flatMap(([call, onFd, , number]) => (number === undefined ? [] : [[number, { call, onFd }]]))),
};

/** Whether the numbers of the system calls are known here. */
export const knowsCallsOf = (arch: string): boolean => TABLES[arch] !== undefined;

/** Every call that is known, with its number. */
export const callNumbers = (arch: string): [call: string, number: number][] =>
  [TABLES[arch], OTHER_TABLES[arch]].flatMap((table) =>
    [...(table ?? [])].map(([number, { call }]): [string, number] => [call, number]),
  );

/** A system call as the registers have it. */
export type RawCall = { number: number; arguments: readonly bigint[]; stack: bigint };

/**
 * /proc/PID/task/TID/syscall (Documentation/filesystems/proc.rst): `running`; or the number of the call in which the
 * thread is, six arguments, stack pointer and program counter; `-1` when it is stopped outside of a call. Undefined when
 * it is in none.
 */
export function parseRawCall(text: string, path: string): RawCall | undefined {
  const line = text.trim();
  if (line === 'running') return undefined;
  const [number = '', ...rest] = line.split(' ');
  if (!/^-?[0-9]{1,9}$/.test(number)) throw new ParseError(path, `"${line}" is no system call`);
  if (number === '-1') return undefined;
  const fields = rest.slice(0, 7).map((field) => {
    if (!/^0x[0-9a-f]{1,16}$/.test(field)) throw new ParseError(path, `"${field}" is no register in "${line}"`);
    return BigInt(field);
  });
  const [stack] = fields.slice(6);
  if (stack === undefined) throw new ParseError(path, `too few fields in "${line}"`);
  return { number: Number(number), arguments: fields.slice(0, 6), stack };
}

/** Numbers of a 32-bit program, whose stack lies below 4 GB, are others. */
const isNarrow = ({ stack }: RawCall): boolean => stack < 1n << 32n;

/** Undefined for a call that is not known here, and of a 32-bit program. */
export const meaningOf = (raw: RawCall, arch: string): Meaning | undefined =>
  isNarrow(raw) ? undefined : (TABLES[arch]?.get(raw.number) ?? OTHER_TABLES[arch]?.get(raw.number));

/** A descriptor is an int: the upper half of the register may hold anything. */
export const intArgument = (raw: RawCall, index: number): number =>
  Number(BigInt.asIntN(32, raw.arguments[index] ?? 0n));

/** In what a thread waits; undefined when it waits in no call, or in none that a diagnosis knows. */
export function parseSyscall(text: string, arch: string, path: string): Wait | undefined {
  const raw = parseRawCall(text, path);
  if (!raw || isNarrow(raw)) return undefined;
  const known = TABLES[arch]?.get(raw.number);
  if (!known) return undefined;
  return { call: known.call, kind: known.kind, ...(known.onFd && { fd: intArgument(raw, 0) }) };
}
