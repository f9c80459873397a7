import type { FutexArguments } from './call-arguments.ts';
import type { RawCall } from './syscall.ts';
import { intArgument } from './syscall.ts';

/** What of a lock is read at the address of its futex. */
export const MUTEX_SIZE = 20;

// struct __pthread_mutex_s of glibc, 64-bit (sysdeps/nptl/bits/struct_mutex.h and sysdeps/x86/nptl/bits/struct_mutex.h):
// int __lock, unsigned __count, int __owner, unsigned __nusers, int __kind.
const LOCKED_WITH_WAITERS = 2;
// nptl/pthreadP.h: the type is in the low two bits; process-shared, and with or without lock elision.
const PLAIN_KINDS = 0x3 | 0x80 | 0x100 | 0x200;
const RECURSIVE = 1;
/** More than this counts nobody: the bytes are something else. */
const MOST_USERS = 1 << 16;

const FUTEX_TID_MASK = 0x3fff_ffff; // include/uapi/linux/futex.h
const PRIVATE_WAIT = [0, 128]; // FUTEX_WAIT, with and without FUTEX_PRIVATE_FLAG

/**
 * Who has the lock on which a thread sleeps, as a number of a thread in the process's own pid namespace; undefined unless
 * the bytes are those of a held mutex of glibc, or the lock is one whose owner the kernel itself must know. Other locks use
 * the same call: whether there is such a thread is for the caller to see.
 */
export function mutexOwner(bytes: Uint8Array, raw: RawCall, futex: FutexArguments): number | undefined {
  if (bytes.byteLength < MUTEX_SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = view.getUint32(0, true);
  if (futex.kind === 'priority-inheritance') return word & FUTEX_TID_MASK || undefined;
  if (!PRIVATE_WAIT.includes(intArgument(raw, 1))) return undefined;
  if (word !== LOCKED_WITH_WAITERS || futex.expected !== LOCKED_WITH_WAITERS) return undefined;
  const [count, owner, users, kind] = [4, 8, 12, 16].map((at) => view.getUint32(at, true)) as [
    number,
    number,
    number,
    number,
  ];
  const plausible = (kind & ~PLAIN_KINDS) === 0 && users >= 1 && users <= MOST_USERS;
  const counted = (kind & 3) === RECURSIVE ? count >= 1 : count === 0;
  return plausible && counted && owner > 0 && owner <= FUTEX_TID_MASK ? owner : undefined;
}
