import { ParseError } from '../model/errors.ts';
import type { EpollEntry } from '../model/process.ts';
import { integer } from './rows.ts';

// /proc/PID/fdinfo/FD: Documentation/filesystems/proc.rst, section 3.8.

// One line for each file in the set: ep_show_fdinfo in fs/eventpoll.c. Position, inode and device are there since 4.13.
const ENTRY =
  /^tfd:\s*([0-9]+) events:\s*([0-9a-f]+) data:\s*[0-9a-f]+(?:\s+pos:-?[0-9]+ ino:([0-9a-f]+) sdev:[0-9a-f]+)?$/;

/** Sockets have inode numbers of 32 bits (get_next_ino in fs/inode.c); those of a pidfd can be larger. */
const SOCKET_INODE_DIGITS = 8;

/** What an epoll set watches, but for what cannot be a socket. Lines of other kinds are passed over. */
export function parseEpollEntries(text: string, path: string): EpollEntry[] {
  return text.split('\n').flatMap((line): EpollEntry[] => {
    if (!line.startsWith('tfd:')) return [];
    const [whole, fd = '', events = '', inode] = ENTRY.exec(line.trimEnd()) ?? [];
    if (whole === undefined) throw new ParseError(path, `"${line}" is no entry of an epoll set`);
    if ((inode ?? '').length > SOCKET_INODE_DIGITS) return [];
    return [
      {
        fd: integer(fd, 10, path),
        events: integer(events, 16, path),
        ...(inode !== undefined && { inode: integer(inode, 16, path) }),
      },
    ];
  });
}

/**
 * Whether an io_uring waits for something, or is not understood (__io_uring_show_fdinfo in io_uring/fdinfo.c). Runtimes have
 * rings that they use for files alone. Registered files, and what a thread of its own takes up, could be sockets.
 */
export function isRingAtWork(text: string): boolean {
  const value = (key: string): number =>
    Number(new RegExp(`^${key}:\\s*(-?[0-9]+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  const idle = value('SQEs') === 0 && value('UserFiles') === 0 && /^PollList:$/m.test(text);
  return !idle || /^\s*op=/m.test(text);
}

/** O_CLOEXEC (include/uapi/asm-generic/fcntl.h), which x86-64 and arm64 share. */
const O_CLOEXEC = 0o2000000;

/** Whether a descriptor is closed on exec(2). */
export function parseCloseOnExec(text: string, path: string): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(text)?.[1];
  if (flags === undefined) throw new ParseError(path, 'no line with flags');
  return (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0;
}
