import { ParseError, SystemError } from '../../model/errors.ts';
import type { Gap } from '../../model/snapshot.ts';
import type { Mapping } from '../../parse/memory-maps.ts';
import { DEBUG_COOKIE, DEBUG_OFFSETS_SIZE, readDebugOffsets } from '../../parse/python/debug-offsets.ts';
import { LAYOUTS, type Layout } from '../../parse/python/layouts.ts';
import type { Image } from '../image.ts';
import { isExpected, namedVersion, pythonImage, readSymbols, type Symbols } from './find.ts';
import * as gaps from './gaps.ts';
import { entries, find, type Heap, text } from './heap.ts';
import type { ReadableMemory } from './memory.ts';
import { interpreters } from './threads.ts';

/** A CPython whose memory is understood: where its state is, and in which version's layout. */
export type Interpreter = { heap: Heap; runtime: number; version: string };

const OLDEST = 7;
const NEWEST = 13;
/** The symbol Py_Version. */
const VERSION_SINCE = 11;

/** Finds the interpreter in a process, or says why that cannot be. */
export function findInterpreter(
  pid: number,
  memory: ReadableMemory,
  maps: readonly Mapping[],
  exe: string | undefined,
): Interpreter | Gap {
  if (maps.some(({ path }) => path !== undefined && /\/(?:libpypy[^/]*\.so[0-9.]*|pypy[0-9.]*)$/.test(path)))
    return gaps.unsupported(pid, 'PyPy');
  const image = pythonImage(maps, exe);
  if (!image)
    return gaps.unsupported(pid, 'no CPython that was found (neither libpython nor the executable is mapped)');
  const named = namedVersion(image.path, maps);
  if (named?.major === 2) return gaps.unsupported(pid, `Python 2.${named.minor}`);
  const symbols = symbolsOf(pid, image, named === undefined || named.minor >= VERSION_SINCE);
  if (symbols === undefined) return gaps.unsupported(pid, 'an executable that is no little-endian ELF file of 64 bits');
  if (symbols.runtime === undefined) {
    const version = named ? `CPython ${named.major}.${named.minor}` : 'a Python';
    const old = named && named.minor < OLDEST;
    return gaps.unsupported(pid, old ? version : `${version} without the symbol _PyRuntime`);
  }
  const minor = symbols.version === undefined ? named?.minor : minorOf(memory.u32(symbols.version));
  if (minor === undefined) return gaps.unsupported(pid, 'a CPython whose version was not found');
  if (minor > NEWEST)
    return gaps.unsupported(
      pid,
      `CPython 3.${minor}`,
      'run `python3 -m pdb -p PID` with the same version and type `where`, or `py-spy dump --pid PID`',
    );
  const table = LAYOUTS[minor];
  if (!table) return gaps.unsupported(pid, `CPython 3.${minor}`);
  if (/\dt(?:\.so[0-9.]*)?$/.test(image.path)) return gaps.unsupported(pid, `a free-threaded CPython 3.${minor}`);
  const layout = layoutOf(memory, symbols.runtime, table, minor);
  if (!layout) return gaps.unsupported(pid, `a free-threaded CPython 3.${minor}`);
  return confirmed(pid, { memory, layout, types: new Map() }, symbols.runtime, minor);
}

function symbolsOf(pid: number, image: Image, hasVersion: boolean): Symbols | undefined {
  try {
    return readSymbols(pid, image, hasVersion);
  } catch (error) {
    if (error instanceof ParseError) return undefined;
    throw error;
  }
}

/** PY_VERSION_HEX; undefined where it is no version of 3. */
const minorOf = (hex: number): number | undefined => (hex >>> 24 === 3 ? (hex >>> 16) & 0xff : undefined);

/** From 3.13 on the interpreter tells where its fields are; undefined for a build without the GIL. */
function layoutOf(memory: ReadableMemory, runtime: number, table: Layout, minor: number): Layout | undefined {
  if (minor < NEWEST) return table;
  const bytes = memory.read(runtime, DEBUG_OFFSETS_SIZE);
  if (String.fromCharCode(...bytes.subarray(0, DEBUG_COOKIE.length)) !== DEBUG_COOKIE) return table;
  const { freeThreaded, layout } = readDebugOffsets(bytes, table);
  return freeThreaded ? undefined : layout;
}

/** Whether what is read in this layout makes sense: sys.version must be of the version that the names tell. */
function confirmed(pid: number, heap: Heap, runtime: number, minor: number): Interpreter | Gap {
  try {
    const version = sysVersion(heap, runtime);
    if (version?.startsWith(`3.${minor}.`)) return { heap, runtime, version };
    return gaps.unsupported(
      pid,
      `a CPython 3.${minor} that was built otherwise (its version reads as ${JSON.stringify(version)})`,
    );
  } catch (error) {
    if (error instanceof SystemError && error.code === 'ESRCH') throw error;
    if (!isExpected(error)) throw error;
    const why = error instanceof ParseError ? error.message : 'a pointer leads nowhere';
    return gaps.unsupported(
      pid,
      `a CPython 3.${minor} that was built otherwise, or that starts or ends just now (${why})`,
    );
  }
}

const MOST_SYS = 500;

/** The first word of sys.version: 3.11.2, 3.13.0rc1. */
function sysVersion(heap: Heap, runtime: number): string | undefined {
  for (const interpreter of interpreters(heap, runtime)) {
    const sys = heap.memory.u64(interpreter + heap.layout.interpreter.sys);
    const version = sys === 0 ? undefined : find(heap, entries(heap, sys, MOST_SYS), 'version');
    if (version !== undefined) return text(heap, version).split(' ')[0];
  }
  return undefined;
}
