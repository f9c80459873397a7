import { ParseError, SystemError } from '../../model/errors.ts';
import { loadBias, namedSections } from '../../parse/elf-file.ts';
import { elfSymbol } from '../../parse/elf-symbols.ts';
import type { Mapping } from '../../parse/memory-maps.ts';
import { type Image, imageOf, withImage } from '../image.ts';

const LIBRARY = /\/libpython[0-9][0-9a-z.]*\.so[0-9.]*(?: \(deleted\))?$/;
/** The library of the stable ABI, which hands everything on. */
const STUB = /\/libpython3\.so/;

/** A shared libpython, or else the executable. */
export const pythonImage = (maps: readonly Mapping[], exe: string | undefined): Image | undefined =>
  imageOf(maps, exe, (path) => LIBRARY.test(path) && !STUB.test(path));

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
    const bias = loadBias(read, image.mapping.start);
    if (bias === undefined) throw new ParseError(image.path, 'no ELF file of 64 bits');
    const at = (address: number | undefined) => (address ? bias + address : undefined);
    const runtime = at(elfSymbol(read, '_PyRuntime')?.address ?? namedSections(read).get('.PyRuntime')?.address);
    const version = hasVersion ? at(elfSymbol(read, 'Py_Version')?.address) : undefined;
    return { ...(runtime && { runtime }), ...(version && { version }) };
  });

export const isExpected = (error: unknown): error is SystemError | ParseError =>
  error instanceof SystemError || error instanceof ParseError;
