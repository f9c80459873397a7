import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { SystemError } from '../../model/errors.ts';

/** The newest part of a file, from the beginning of a line. `size` and `writtenAt` (milliseconds since 1970) are those of all of it. */
export type Tail = { bytes: Uint8Array; whole: boolean; size: number; writtenAt: number };

/** A regular file and where it lies, whatever it is called by now. */
export type FileId = { device: number; inode: number };

const idOf = ({ dev, ino }: Stats): FileId => ({ device: dev, inode: ino });

function stating<T>(call: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new SystemError((error as NodeJS.ErrnoException).code ?? 'EIO', call);
  }
}

/** Undefined unless it is a regular file: to look at a pipe or a device could change something. */
export function regularFile(path: string): (FileId & { writtenAt: number; size: number }) | undefined {
  const stats = stating(`stat ${path}`, () => statSync(path));
  return stats.isFile() ? { ...idOf(stats), writtenAt: stats.mtimeMs, size: stats.size } : undefined;
}

/**
 * Reads the last `most` bytes. What is opened must still be the regular file that it was when it was stated: in between,
 * somebody could have put another one in its place.
 */
export function readTail(path: string, { device, inode }: FileId, most: number, follow: boolean): Tail {
  const { O_RDONLY, O_NONBLOCK, O_NOCTTY, O_NOFOLLOW } = constants;
  const flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | (follow ? 0 : O_NOFOLLOW);
  const fd = stating(`open ${path}`, () => openSync(path, flags));
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || stats.dev !== device || stats.ino !== inode) throw new SystemError('ESTALE', `open ${path}`);
    const start = Math.max(0, stats.size - most);
    const buffer = new Uint8Array(Math.min(stats.size, most));
    const length = stating(`read ${path}`, () => readSync(fd, buffer, 0, buffer.length, start));
    const bytes = buffer.subarray(0, length);
    const line = start === 0 ? 0 : bytes.indexOf(0x0a) + 1; // the first line is cut
    return { bytes: bytes.subarray(line), whole: start === 0, size: stats.size, writtenAt: stats.mtimeMs };
  } finally {
    closeSync(fd);
  }
}
