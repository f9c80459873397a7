import { closeSync, openSync, readSync } from 'node:fs';
import { ParseError, SystemError } from '../../model/errors.ts';
import { elfHeader, firstAddress, namedSections, type ReadAt } from '../../parse/elf-file.ts';
import { elfSymbol } from '../../parse/elf-symbols.ts';
import type { Mapping } from '../../parse/memory-maps.ts';

/** The file that holds an interpreter, with where it is mapped. */
export type Image = { path: string; mapping: Mapping; isExecutable: boolean };

const LIBRARY = /\/libpython[0-9][0-9a-z.]*\.so[0-9.]*(?: \(deleted\))?$/;

/** A shared libpython, or else the executable. */
export function imageOf(maps: readonly Mapping[], exe: string | undefined): Image | undefined {
  const first = (matches: (path: string) => boolean) =>
    maps.find(({ path, offset }) => path !== undefined && offset === 0 && matches(path));
  const library = first((path) => LIBRARY.test(path) && !/\/libpython3\.so/.test(path));
  const mapping = library ?? first((path) => path === exe);
  return mapping?.path === undefined ? undefined : { path: mapping.path, mapping, isExecutable: !library };
}

/** The minor version of 3 that names tell: of the file, of the standard library, of compiled modules. 0 to 6 are too old, as 2 is. */
export function namedVersion(path: string, maps: readonly Mapping[]): { major: number; minor: number } | undefined {
  const names = [path, ...maps.flatMap((mapping) => mapping.path ?? [])];
  for (const pattern of [
    /python([23])\.([0-9]{1,2})[a-z]*(?:\.so[0-9.]*)?(?: \(deleted\))?$/,
    /\/python([23])\.([0-9]{1,2})t?\//,
  ]) {
    for (const name of names) {
      const [, major, minor] = pattern.exec(name) ?? [];
      if (major && minor) return { major: Number(major), minor: Number(minor) };
    }
  }
  for (const name of names) {
    const minor = /\.cpython-3([0-9]{1,2})[a-z]*-/.exec(name)?.[1];
    if (minor) return { major: 3, minor: Number(minor) };
  }
  return undefined;
}

export type Symbols = { runtime?: number; version?: number };

/** Addresses of what the interpreter keeps its state in, and of its version (`hasVersion`: from 3.11 on). */
export const readSymbols = (pid: number, image: Image, hasVersion: boolean): Symbols =>
  withImage(pid, image, (read) => {
    const header = elfHeader(read);
    if (!header) throw new ParseError(image.path, 'no ELF file of 64 bits');
    const base = header.relocated ? image.mapping.start - firstAddress(read, header) : 0;
    const at = (address: number | undefined) => (address ? base + address : undefined);
    const runtime = at(elfSymbol(read, '_PyRuntime')?.address ?? namedSections(read).get('.PyRuntime')?.address);
    const version = hasVersion ? at(elfSymbol(read, 'Py_Version')?.address) : undefined;
    return { ...(runtime && { runtime }), ...(version && { version }) };
  });

/** Reads from a file that a process has mapped. */
export function withImage<T>(pid: number, image: Image, use: (read: ReadAt) => T): T {
  const fd = openImage(pid, image);
  try {
    return use((offset, length) => {
      const bytes = new Uint8Array(Math.min(length, MOST_READ));
      try {
        return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, offset));
      } catch (error) {
        throw new SystemError((error as NodeJS.ErrnoException).code ?? 'EIO', `read ${image.path}`);
      }
    });
  } finally {
    closeSync(fd);
  }
}

/** A table of symbols and its names have a few megabytes. */
const MOST_READ = 16 * 1024 * 1024;

/** The very file that is mapped, also where another has taken its name; or what has its name in the process's own root. */
function openImage(pid: number, { path, mapping, isExecutable }: Image): number {
  const range = `${mapping.start.toString(16)}-${mapping.end.toString(16)}`;
  const paths = [
    `/proc/${pid}/map_files/${range}`,
    ...(isExecutable ? [`/proc/${pid}/exe`] : []),
    `/proc/${pid}/root${path}`,
  ];
  let last: unknown;
  for (const candidate of paths) {
    try {
      return openSync(candidate, 'r');
    } catch (error) {
      last = error;
    }
  }
  throw new SystemError((last as NodeJS.ErrnoException).code ?? 'EIO', `open /proc/${pid}/root${path}`);
}

export const isExpected = (error: unknown): error is SystemError | ParseError =>
  error instanceof SystemError || error instanceof ParseError;
