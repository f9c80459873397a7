import { closeSync, openSync, readSync } from 'node:fs';
import { SystemError } from '../model/errors.ts';
import type { ReadAt } from '../parse/elf-file.ts';

/** What is read whole, such as a table of symbols, has a few megabytes; a broken file could claim any length. */
const MOST_AT_ONCE = 16 << 20;

/** Opens a file past the `Machine`, to be read in pieces. */
export function openToRead(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new SystemError((error as NodeJS.ErrnoException).code ?? 'EIO', `open ${path}`);
  }
}

/** Reads in an open file, and closes it. */
export function withOpened<T>(fd: number, path: string, use: (read: ReadAt) => T): T {
  try {
    return use((offset, length) => {
      const bytes = new Uint8Array(Math.min(length, MOST_AT_ONCE));
      try {
        return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, offset));
      } catch (error) {
        throw new SystemError((error as NodeJS.ErrnoException).code ?? 'EIO', `read ${path}`);
      }
    });
  } finally {
    closeSync(fd);
  }
}

/** Opens a file, reads in it, and closes it. */
export const withFile = <T>(path: string, use: (read: ReadAt) => T): T => withOpened(openToRead(path), path, use);
