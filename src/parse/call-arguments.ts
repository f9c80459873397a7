import { intArgument, type Meaning, type RawCall } from './syscall.ts';

// What the arguments of system calls say: select(2), poll(2), epoll_wait(2), futex(2), nanosleep(2). Some of it lies in
// the memory of the process, so first comes where, then what it says.

/** The places in memory that an understanding of a call needs. */
export type Places = { files: { address: bigint; length: number }[]; time?: { address: bigint; length: number } };

/** What was read there, in the same order; undefined where it could not be. */
export type Pieces = { files: (Uint8Array | undefined)[]; time?: Uint8Array | undefined };

type PolledFile = { fd: number; for?: 'read' | 'write' | 'both' };

/** `address` is that of the word, `expected` the value that it had when the thread went to sleep. */
export type FutexArguments = { address: bigint; kind: 'wait' | 'priority-inheritance'; expected: number };

export type CallArguments = {
  /** Absent where the call has none, or they could not be read. */
  files?: PolledFile[];
  timeoutMs?: number;
  forever?: true;
  futex?: FutexArguments;
};

const POLLFD_SIZE = 8; // struct pollfd in include/uapi/asm-generic/poll.h: int fd, short events, short revents
const TIME_SIZE = 16; // struct timespec or timeval of two 64-bit words
/** More descriptors in one call are not looked at. */
const MOST_POLLED = 4096;

/** Which argument holds what; `ms` is a number, `timespec` and `timeval` are pointers. */
type Layout = {
  pollfds?: number;
  sets?: number[];
  timeout?: { index: number; unit: 'ms' | 'timespec' | 'timeval' };
};

const LAYOUTS: Record<string, Layout> = {
  poll: { pollfds: 0, timeout: { index: 2, unit: 'ms' } },
  ppoll: { pollfds: 0, timeout: { index: 2, unit: 'timespec' } },
  select: { sets: [1, 2, 3], timeout: { index: 4, unit: 'timeval' } },
  pselect6: { sets: [1, 2, 3], timeout: { index: 4, unit: 'timespec' } },
  epoll_wait: { timeout: { index: 3, unit: 'ms' } },
  epoll_pwait: { timeout: { index: 3, unit: 'ms' } },
  epoll_pwait2: { timeout: { index: 3, unit: 'timespec' } },
  nanosleep: { timeout: { index: 0, unit: 'timespec' } },
  clock_nanosleep: { timeout: { index: 2, unit: 'timespec' } },
  futex: { timeout: { index: 3, unit: 'timespec' } },
};

const TIMER_ABSTIME = 1; // include/uapi/linux/time.h

// include/uapi/linux/futex.h. Flags above the command: private to the process, and which clock.
const FUTEX_CMD_MASK = 0x7f;
const FUTEX_WAIT = 0;
const FUTEX_LOCK_PI = 6;
const FUTEX_WAIT_BITSET = 9;
const FUTEX_LOCK_PI2 = 13;

const commandOf = (raw: RawCall): number => intArgument(raw, 1) & FUTEX_CMD_MASK;

/** Only FUTEX_WAIT counts from the call; the others, and clock_nanosleep with its flag, take a point in time. */
function hasPointInTime(name: string, raw: RawCall): boolean {
  if (name === 'futex') return commandOf(raw) !== FUTEX_WAIT;
  return name === 'clock_nanosleep' && (intArgument(raw, 1) & TIMER_ABSTIME) !== 0;
}

const polledCount = (raw: RawCall, index: number): number =>
  Math.max(0, Math.min(intArgument(raw, index), MOST_POLLED));

export function placesOf({ call }: Meaning, raw: RawCall): Places {
  const { pollfds, sets, timeout } = LAYOUTS[call] ?? {};
  const at = (index: number): bigint => raw.arguments[index] ?? 0n;
  const places: Places = { files: [] };
  if (pollfds !== undefined) places.files.push({ address: at(pollfds), length: polledCount(raw, 1) * POLLFD_SIZE });
  // fd_set is an array of 64-bit words; a null pointer stands for an empty set.
  const setSize = Math.ceil(polledCount(raw, 0) / 64) * 8;
  for (const index of sets ?? []) places.files.push({ address: at(index), length: at(index) === 0n ? 0 : setSize });
  if (timeout && timeout.unit !== 'ms' && at(timeout.index) !== 0n && !hasPointInTime(call, raw))
    places.time = { address: at(timeout.index), length: TIME_SIZE };
  return places;
}

export function readArguments({ call }: Meaning, raw: RawCall, pieces: Pieces): CallArguments {
  const { pollfds, sets } = LAYOUTS[call] ?? {};
  const files = pollfds !== undefined ? fromPollfds(pieces.files[0]) : sets ? fromSets(pieces.files, raw) : undefined;
  const futex = call === 'futex' ? futexOf(raw) : undefined;
  return { ...(files && { files }), ...limitOf(call, raw, pieces.time), ...(futex && { futex }) };
}

function limitOf(call: string, raw: RawCall, time: Uint8Array | undefined): CallArguments {
  const timeout = LAYOUTS[call]?.timeout;
  if (!timeout) return {};
  if (timeout.unit === 'ms') {
    const ms = intArgument(raw, timeout.index);
    return ms < 0 ? { forever: true } : { timeoutMs: ms };
  }
  if ((raw.arguments[timeout.index] ?? 0n) === 0n) return { forever: true };
  if (!time || time.byteLength < TIME_SIZE) return {};
  const view = new DataView(time.buffer, time.byteOffset, time.byteLength);
  const [seconds, part] = [Number(view.getBigInt64(0, true)), Number(view.getBigInt64(8, true))];
  const perSecond = timeout.unit === 'timeval' ? 1e6 : 1e9;
  if (seconds < 0 || part < 0 || part >= perSecond) return {};
  return { timeoutMs: Math.round(seconds * 1000 + (part * 1000) / perSecond) };
}

// include/uapi/asm-generic/poll.h: POLLIN, POLLPRI, POLLRDNORM, POLLRDBAND, POLLRDHUP; POLLOUT, POLLWRNORM, POLLWRBAND.
const READING = 0x0001 | 0x0002 | 0x0040 | 0x0080 | 0x2000;
const WRITING = 0x0004 | 0x0100 | 0x0200;

const purpose = (read: boolean, write: boolean): Pick<PolledFile, 'for'> =>
  read ? { for: write ? 'both' : 'read' } : write ? { for: 'write' } : {};

/** A negative descriptor is one to pass over. */
function fromPollfds(bytes: Uint8Array | undefined): PolledFile[] | undefined {
  if (!bytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const files: PolledFile[] = [];
  for (let at = 0; at + POLLFD_SIZE <= bytes.byteLength; at += POLLFD_SIZE) {
    const fd = view.getInt32(at, true);
    const events = view.getUint16(at + 4, true);
    if (fd >= 0) files.push({ fd, ...purpose((events & READING) !== 0, (events & WRITING) !== 0) });
  }
  return files;
}

function fromSets(pieces: readonly (Uint8Array | undefined)[], raw: RawCall): PolledFile[] | undefined {
  const [reading, writing, exceptions] = pieces;
  if (!reading || !writing || !exceptions) return undefined;
  const has = (set: Uint8Array, fd: number): boolean => (((set[fd >> 3] ?? 0) >> (fd & 7)) & 1) === 1;
  const files: PolledFile[] = [];
  for (let fd = 0, end = polledCount(raw, 0); fd < end; fd++) {
    const [read, write] = [has(reading, fd) || has(exceptions, fd), has(writing, fd)];
    if (read || write) files.push({ fd, ...purpose(read, write) });
  }
  return files;
}

function futexOf(raw: RawCall): FutexArguments | undefined {
  const address = raw.arguments[0] ?? 0n;
  const expected = Number(BigInt.asUintN(32, raw.arguments[2] ?? 0n));
  switch (commandOf(raw)) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
      return { address, kind: 'wait', expected };
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
      return { address, kind: 'priority-inheritance', expected };
    default:
      return undefined;
  }
}
