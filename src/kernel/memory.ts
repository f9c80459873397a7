import { closeSync, readSync } from 'node:fs';
import { openToRead } from './files.ts';

/** Reads the memory of a process, up to so many bytes in all. `close` it. */
export type Memory = {
  /** Undefined when it is not there, or not all of it. */
  read(address: bigint, length: number): Uint8Array | undefined;
  close(): void;
};

/** The first and the last address that a program can have: behind it lies the kernel (Documentation/arch/x86/x86_64/mm.rst). */
const FIRST = 0x1000n;
const LAST = 1n << 56n;

/**
 * Opens /proc/PID/mem, which needs the right to trace the process; it is not stopped. A read waits while another thread of it
 * changes its memory map, so a process with a thread in an uninterruptible sleep is better left alone.
 */
export function openMemory(pid: number, most: number): Memory {
  const fd = openToRead(`/proc/${pid}/mem`);
  let left = most;
  return {
    read(address, length) {
      if (address < FIRST || address + BigInt(length) > LAST || length > left) return undefined;
      left -= length;
      const bytes = new Uint8Array(length);
      try {
        return readSync(fd, bytes, 0, length, address) === length ? bytes : undefined;
      } catch {
        return undefined; // nothing is mapped there (any more)
      }
    },
    close: () => closeSync(fd),
  };
}
