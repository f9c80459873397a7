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

// Calls that only x86-64 still has.
const X64_ONLY: readonly [number, string, boolean][] = [
  [232, 'epoll_wait', true],
  [7, 'poll', false],
  [23, 'select', false],
];

type Meaning = Pick<Known, 'call' | 'kind' | 'onFd'>;

const TABLES: Record<string, ReadonlyMap<number, Meaning>> = {
  x64: new Map<number, Meaning>([
    ...CALLS.map((known): [number, Meaning] => [known.x64, known]),
    ...X64_ONLY.map(([number, call, fd]): [number, Meaning] => [number, { call, kind: 'events', onFd: fd }]),
  ]),
  arm64: new Map(CALLS.map((known) => [known.generic, known])),
};

/**
 * /proc/PID/task/TID/syscall (Documentation/filesystems/proc.rst): `running`; or the number of the call in which the
 * thread is, six arguments, stack pointer and program counter; `-1` when it is stopped outside of a call. Undefined when
 * it waits in no call, or in one that is not known here, or by the numbers of a 32-bit program, whose stack lies below 4 GB.
 */
export function parseSyscall(text: string, arch: string, path: string): Wait | undefined {
  const line = text.trim();
  if (line === 'running') return undefined;
  const [number = '', ...rest] = line.split(' ');
  if (!/^-?[0-9]+$/.test(number)) throw new ParseError(path, `"${line}" is no system call`);
  if (number === '-1') return undefined;
  const [first, , , , , , stack] = rest.map((field) => (/^0x[0-9a-f]{1,16}$/.test(field) ? BigInt(field) : undefined));
  if (first === undefined || stack === undefined) throw new ParseError(path, `too few fields in "${line}"`);
  if (stack < 1n << 32n) return undefined;
  const known = TABLES[arch]?.get(Number(number));
  if (!known) return undefined;
  // A descriptor is an int: the upper half of the register may hold anything.
  return { call: known.call, kind: known.kind, ...(known.onFd && { fd: Number(BigInt.asIntN(32, first)) }) };
}
