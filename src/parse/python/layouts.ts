// Where the fields are in the memory of CPython, in bytes, on 64-bit Linux: of each minor version's own headers with
// Py_BUILD_CORE. `node scripts/python-layouts.ts` compiles against the headers of this machine and compares. The fields of
// types that are in no header (asyncio's Task, collections.deque, socket, and dict's keys before 3.11) were measured in
// running interpreters, which the same script does again.

/** How a code object says which line an instruction is of. */
export type LineTable = 'lnotab' | 'linetable' | 'locations';

/** Where an object keeps its attributes. */
type Attributes = 'dict' | 'values' | 'tagged' | 'inline';

export type Layout = {
  lines: LineTable;
  attributes: Attributes;
  /** _PyRuntimeState. The collector and the GIL are here in old versions, and in the interpreter in newer ones. */
  runtime: { interpreters: number; gil?: number; gc?: number };
  /** PyInterpreterState. `gil` is a pointer. */
  interpreter: { next: number; threads: number; modules: number; sys: number; gil?: number; gc?: number };
  /** struct _gc_runtime_state. */
  gc: {
    generations: number;
    generationSize: number;
    permanent: number;
    stats: number;
    statsSize: number;
    collecting: number;
    headSize: number;
  };
  /** PyThreadState. `currentFrame` is where _PyCFrame has it, if `frame` leads to one. */
  thread: { next: number; id: number; nativeId?: number; frame: number; currentFrame?: number };
  /** PyFrameObject until 3.10, _PyInterpreterFrame from 3.11 on. `instruction` is a number until 3.10, then an address. */
  frame: {
    previous: number;
    code: number;
    instruction: number;
    locals: number;
    owner?: number;
    /** Pointer behind the topmost value of the stack; or a pointer to the lowest and how many; or how many from `locals` on. */
    stackTop?: number;
    valueStack?: number;
    stackDepth?: number;
  };
  /** PyCodeObject. Names of locals are in three tuples until 3.10. */
  code: {
    file: number;
    name: number;
    firstLine: number;
    flags: number;
    lines: number;
    names: number;
    freeNames?: number;
    cellNames?: number;
    qualifiedName?: number;
    bytecode?: number;
    firstTraceable?: number;
  };
  /** PyGenObject, and coroutines, which begin like it. `frame` is the frame itself from 3.11 on. */
  generator: { frame: number; state?: number };
  /** PyHeapTypeObject. */
  type: { qualifiedName: number; cachedKeys: number };
  /** PyDictKeysObject. */
  keys: { entries: number; indices: number };
  /** Sizes of PyASCIIObject and PyCompactUnicodeObject, behind which the text is. */
  text: { ascii: number; compact: number };
  /** TaskObj of Modules/_asynciomodule.c; `size` is that of the whole object, and tells whether the rest is right. */
  task: { size: number; state: number; coroutine: number; name?: number };
};

// Until 3.13 these are the same everywhere.
/** PyObject and PyVarObject. */
export const OBJECT = { type: 8, size: 16 };
/** PyTypeObject. */
export const TYPE = { name: 24, basicSize: 32, flags: 168, base: 256, dict: 264, dictOffset: 288 };
/** PyDictObject. */
export const DICT = { used: 16, keys: 32, values: 40 };
/** PyDictKeysObject from 3.11 on. */
export const KEYS = { log2Size: 8, log2IndexBytes: 9, kind: 10 };
/** dk_size, until 3.10. */
export const KEYS_SIZE = 8;
export const LIST = { items: 24 };
export const TUPLE = { items: 24 };
/** PySetObject and setentry. */
export const SET = { mask: 32, table: 40, entrySize: 16 };
export const CELL = { value: 16 };
/** PyASCIIObject. */
export const TEXT = { length: 16, state: 32 };
export const BYTES = { data: 32 };
/** PyLongObject: digits of 30 bits. */
export const INTEGER = { digits: 24 };
/** struct _gil_runtime_state. */
export const GIL = { holder: 8, locked: 16, switches: 24 };
/** PyModuleObject. */
export const MODULE = { dict: 16 };
/** PyMethodObject. */
export const METHOD = { self: 24 };
/** The first field of buffered in Modules/_io/bufferedio.c, and of fileio in Modules/_io/fileio.c. */
export const BUFFERED_RAW = 16;
export const FILE_FD = 16;
/** PySocketSockObject of Modules/socketmodule.h. */
export const SOCKET = { fd: 16 };
/** dequeobject and block of Modules/_collectionsmodule.c. */
export const DEQUE = { leftBlock: 24, leftIndex: 40, blockItems: 8, blockRight: 520, blockLength: 64 };
/** coroutine_wrapper, async_generator_asend and async_generator_athrow begin with what they drive. */
export const DRIVEN = 16;

const gc38 = {
  generations: 24,
  generationSize: 24,
  permanent: 104,
  stats: 128,
  statsSize: 24,
  collecting: 200,
  headSize: 16,
};
const thread37 = { next: 8, id: 176, frame: 24 };
const frame37 = { previous: 24, code: 32, instruction: 104, locals: 360, stackTop: 72 };
const code38 = { file: 104, name: 112, firstLine: 40, flags: 36, lines: 120, names: 72, freeNames: 80, cellNames: 88 };
const frame312 = { previous: 8, code: 0, instruction: 56, owner: 70, locals: 72, stackDepth: 64 };
const keys37 = { entries: 32, indices: 40 };
const keys311 = { entries: 24, indices: 32 };
const text37 = { ascii: 48, compact: 72 };
const text312 = { ascii: 40, compact: 56 };

/** By the minor version of CPython 3. */
export const LAYOUTS: Readonly<Record<number, Layout>> = {
  7: {
    lines: 'lnotab',
    attributes: 'dict',
    runtime: { interpreters: 24, gil: 1264, gc: 320 },
    interpreter: { next: 0, threads: 8, modules: 40, sys: 56 },
    gc: {
      generations: 32,
      generationSize: 48,
      permanent: 192,
      stats: 240,
      statsSize: 24,
      collecting: 312,
      headSize: 32,
    },
    thread: thread37,
    frame: frame37,
    code: { file: 96, name: 104, firstLine: 36, flags: 32, lines: 112, names: 64, freeNames: 72, cellNames: 80 },
    generator: { frame: 16 },
    type: { qualifiedName: 848, cachedKeys: 856 },
    keys: keys37,
    text: text37,
    task: { size: 136, state: 72, coroutine: 112 },
  },
  8: {
    lines: 'lnotab',
    attributes: 'dict',
    runtime: { interpreters: 32, gil: 1152, gc: 344 },
    interpreter: { next: 0, threads: 8, modules: 56, sys: 72 },
    gc: gc38,
    thread: thread37,
    frame: frame37,
    code: code38,
    generator: { frame: 16 },
    type: { qualifiedName: 864, cachedKeys: 872 },
    keys: keys37,
    text: text37,
    task: { size: 144, state: 72, coroutine: 112, name: 120 },
  },
  9: {
    lines: 'lnotab',
    attributes: 'dict',
    runtime: { interpreters: 32, gil: 352 },
    interpreter: { next: 0, threads: 8, modules: 856, sys: 872, gc: 616 },
    gc: gc38,
    thread: thread37,
    frame: frame37,
    code: code38,
    generator: { frame: 16 },
    type: { qualifiedName: 856, cachedKeys: 864 },
    keys: keys37,
    text: text37,
    task: { size: 184, state: 80, coroutine: 152, name: 160 },
  },
  10: {
    lines: 'linetable',
    attributes: 'dict',
    runtime: { interpreters: 32, gil: 352 },
    interpreter: { next: 0, threads: 8, modules: 856, sys: 872, gc: 616 },
    gc: gc38,
    thread: thread37,
    frame: { previous: 24, code: 32, instruction: 96, locals: 352, valueStack: 64, stackDepth: 80 },
    code: code38,
    generator: { frame: 16 },
    type: { qualifiedName: 864, cachedKeys: 872 },
    keys: keys37,
    text: text37,
    task: { size: 192, state: 88, coroutine: 160, name: 168 },
  },
  11: {
    lines: 'locations',
    attributes: 'values',
    runtime: { interpreters: 40, gil: 360 },
    interpreter: { next: 0, threads: 16, modules: 888, sys: 904, gc: 648 },
    gc: gc38,
    thread: { next: 8, id: 152, nativeId: 160, frame: 56, currentFrame: 8 },
    frame: { previous: 48, code: 32, instruction: 56, owner: 69, locals: 72, stackDepth: 64 },
    code: {
      file: 112,
      name: 120,
      firstLine: 72,
      flags: 48,
      qualifiedName: 128,
      lines: 136,
      bytecode: 184,
      firstTraceable: 168,
      names: 96,
    },
    generator: { frame: 80, state: 75 },
    type: { qualifiedName: 864, cachedKeys: 872 },
    keys: keys311,
    text: text37,
    task: { size: 176, state: 88, coroutine: 136, name: 144 },
  },
  12: {
    lines: 'locations',
    attributes: 'tagged',
    runtime: { interpreters: 40 },
    interpreter: { next: 0, threads: 72, modules: 944, gil: 384, sys: 352, gc: 112 },
    gc: gc38,
    thread: { next: 8, id: 136, nativeId: 144, frame: 56, currentFrame: 0 },
    frame: frame312,
    code: {
      file: 112,
      name: 120,
      firstLine: 68,
      flags: 48,
      qualifiedName: 128,
      lines: 136,
      bytecode: 192,
      firstTraceable: 176,
      names: 96,
    },
    generator: { frame: 72, state: 67 },
    type: { qualifiedName: 872, cachedKeys: 880 },
    keys: keys311,
    text: text312,
    task: { size: 176, state: 88, coroutine: 136, name: 144 },
  },
  13: {
    lines: 'locations',
    attributes: 'inline',
    runtime: { interpreters: 632 },
    interpreter: { next: 7264, threads: 7344, modules: 7656, gil: 16, sys: 7640, gc: 7400 },
    gc: gc38,
    thread: { next: 8, id: 152, nativeId: 160, frame: 72 },
    frame: frame312,
    code: {
      file: 112,
      name: 120,
      firstLine: 68,
      flags: 48,
      qualifiedName: 128,
      lines: 136,
      bytecode: 200,
      firstTraceable: 184,
      names: 96,
    },
    generator: { frame: 72, state: 67 },
    type: { qualifiedName: 872, cachedKeys: 880 },
    keys: keys311,
    text: text312,
    task: { size: 144, state: 96, coroutine: 120, name: 128 },
  },
};
