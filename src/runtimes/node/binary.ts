import { closeSync, openSync, readSync } from 'node:fs';
import { SystemError } from '../../model/errors.ts';
import type { ReadAt } from '../../parse/elf-file.ts';
import { elfSymbol } from '../../parse/elf-symbols.ts';
import { watchedSignals } from '../../parse/node/signal-tree.ts';
import { VERSION_OVERLAP, versionIn } from '../../parse/node/version.ts';

function withFile<T>(path: string, act: (read: ReadAt) => T): T {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const file = fd;
    return act((offset, length) => {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, readSync(file, bytes, 0, length, offset));
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof SystemError || code === undefined) throw error;
    throw new SystemError(code, `read ${path}`);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** A file that is mapped into the process: its name there, and where its first byte lies. */
export type Mapped = { path: string; start: number };

/** The file with the code of Node.js: the executable, or the library that some distributions have made of it. */
export function nodeFile(maps: string, exe: string): Mapped | undefined {
  const files = [...maps.matchAll(/^([0-9a-f]+)-[0-9a-f]+ \S+ 0+ \S+ [0-9]+ +(\/.+)$/gm)].map(([, start, path]) => ({
    path: (path ?? '').replace(/ \(deleted\)$/, ''),
    start: Number.parseInt(start ?? '', 16),
  }));
  return files.find(({ path }) => /\/libnode\.so[0-9.]*$/.test(path)) ?? files.find(({ path }) => path === exe);
}

/** A path by which that file can be read, also from another mount namespace, and when it was replaced. */
export const pathOf = (pid: number, file: Mapped, exe: string): string =>
  file.path === exe ? `/proc/${pid}/exe` : `/proc/${pid}/root${file.path}`;

const PIECE = 4 << 20;

/** The version of Node.js, from the text of its binary: about 30 ms for 100 MB. */
export function versionOf(path: string): string | undefined {
  return withFile(path, (read) => {
    for (let offset = 0; ; offset += PIECE - VERSION_OVERLAP) {
      const piece = Buffer.from(read(offset, PIECE));
      const at = piece.indexOf('node.js/v');
      const version = at < 0 ? undefined : versionIn(piece.toString('latin1', at));
      if (version !== undefined || piece.length < PIECE) return version;
    }
  });
}

/**
 * The signals that the program has handlers of its own for, from its memory. Undefined when its binary does not tell where
 * libuv keeps them: it was stripped, or libuv is a library of its own.
 */
export function ownSignals(pid: number, file: Mapped, path: string): Set<number> | undefined {
  const symbol = withFile(path, (read) => elfSymbol(read, 'uv__signal_tree'));
  if (!symbol) return undefined;
  const root = symbol.relocated ? file.start - symbol.firstAddress + symbol.address : symbol.address;
  return withFile(`/proc/${pid}/mem`, (read) => watchedSignals(read, root));
}
