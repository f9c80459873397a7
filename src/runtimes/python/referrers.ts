import { CELL, DEQUE, MODULE, OBJECT, TYPE } from '../../parse/python/layouts.ts';
import { originOf } from '../../parse/python/origin.ts';
import { type Code, localNames, type RawFrame } from './code.ts';
import { isExpected } from './find.ts';
import { attributes, entries, find, type Heap, isDict, items, members, text, typeOf } from './heap.ts';

/** A way to an object, as one would write it in the program: `self.sessions[…]`. */
type Reached = { object: number; path: string; depth: number; where?: string };

export type Limits = { objects: number; until: number; now: () => number };

const MOST_DEPTH = 7;
const MOST_PATHS = 3;
/** Of one container or module. */
const MOST_ITEMS = 20_000;
const MOST_MODULES = 5000;
const MOST_LOCALS = 256;
const MOST_KEY = 60;

/**
 * By what the program refers to these objects: searched from where a program keeps things, the variables of its running
 * functions first, then the global variables of its modules, each by the shortest way that was found. Only ways that were
 * really gone; that an object has none here says nothing.
 */
export function readReferrers(
  heap: Heap,
  targets: ReadonlySet<number>,
  frames: readonly { frame: RawFrame; code: Code; line?: number }[],
  interpreters: readonly number[],
  limits: Limits,
): Map<number, string[]> {
  const found = new Map<number, string[]>();
  if (targets.size === 0) return found;
  const seen = new Set<number>();
  const take = (reached: Reached): void => {
    const { object } = reached;
    const path = written(reached);
    const paths = found.get(object) ?? [];
    if (paths.length < MOST_PATHS && !paths.includes(path)) found.set(object, [...paths, path]);
  };
  const search = { heap, targets, seen, take, limits };
  for (const frame of frames) attempt(() => from(search, localsOf(heap, frame)));
  for (const interpreter of interpreters) attempt(() => from(search, globalsOf(heap, interpreter)));
  return found;
}

function written({ path, depth, where }: Reached): string {
  if (where === undefined) return path;
  return depth === 0 ? `local variable ${path} in ${where}` : `${path} in ${where}`;
}

type Search = {
  heap: Heap;
  targets: ReadonlySet<number>;
  seen: Set<number>;
  take: (reached: Reached) => void;
  limits: Limits;
};

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isExpected(error)) return undefined;
    throw error;
  }
}

/** Breadth first, so that the shortest way comes first. */
function from({ heap, targets, seen, take, limits }: Search, roots: Iterable<Reached>): void {
  const queue = [...roots];
  for (let next = queue.shift(), i = 0; next; next = queue[i++]) {
    if (targets.has(next.object)) {
      take(next);
      continue;
    }
    if (seen.has(next.object) || next.depth >= MOST_DEPTH) continue;
    if (seen.size >= limits.objects || (i % 1024 === 0 && limits.now() > limits.until)) return;
    seen.add(next.object);
    const { object, path, depth, where } = next;
    attempt(() => {
      for (const { to, step } of edges(heap, object)) queue.push({ object: to, path: path + step, depth: depth + 1, ...(where && { where }) });
    });
  }
}

/** The variables of a function that runs or waits. */
function localsOf(heap: Heap, { frame, code, line }: { frame: RawFrame; code: Code; line?: number }): Reached[] {
  const where = `${code.function} (${code.file.replace(/^.*\//s, '')}${line === undefined ? '' : `:${line}`})`;
  const names = localNames(heap, frame.code);
  return names.slice(0, MOST_LOCALS).flatMap((name, i) => {
    const object = heap.memory.u64(frame.address + heap.layout.frame.locals + 8 * i);
    return object === 0 || name.startsWith('.') ? [] : [{ object, path: name, depth: 0, where }];
  });
}

/** The global variables of all modules but those of the standard library. */
function* globalsOf(heap: Heap, interpreter: number): Generator<Reached> {
  const modules = heap.memory.u64(interpreter + heap.layout.interpreter.modules);
  const found: Reached[] = [];
  const later: Reached[] = [];
  for (const { key, value } of entries(heap, modules, MOST_MODULES)) {
    attempt(() => {
      if (typeOf(heap, value).name !== 'module') return;
      const module = text(heap, key);
      const globals = heap.memory.u64(value + MODULE.dict);
      const origin = globals === 0 ? undefined : originOfModule(heap, globals, module);
      if (origin === undefined || origin === 'runtime') return;
      for (const { key: name, value: object } of entries(heap, globals, MOST_ITEMS))
        (origin === 'application' ? found : later).push({ object, path: `${module}.${text(heap, name)}`, depth: 0 });
    });
  }
  yield* found;
  yield* later;
}

function originOfModule(heap: Heap, globals: number, module: string): 'application' | 'library' | 'runtime' {
  if (module === '__main__') return 'application';
  const file = attempt(() => find(heap, entries(heap, globals, 40), '__file__'));
  const name = file === undefined ? undefined : attempt(() => text(heap, file));
  return name === undefined ? 'runtime' : originOf(name); // built in
}

type Edge = { to: number; step: string };

const LIST = 1 << 25; // Py_TPFLAGS_LIST_SUBCLASS
const TUPLE = 1 << 26;
const TYPE_SUBCLASS = 1 << 31;
/** What holds no connection, or everything. */
const LEAVES = new Set([
  'str',
  'bytes',
  'int',
  'float',
  'bool',
  'NoneType',
  'module',
  'code',
  'frame',
  'builtin_function_or_method',
  'getset_descriptor',
  'wrapper_descriptor',
  'method_descriptor',
  'member_descriptor',
  'property',
]);

/** What an object refers to, and how one would write that. */
function* edges(heap: Heap, object: number): Generator<Edge> {
  const type = typeOf(heap, object);
  const { memory } = heap;
  if (LEAVES.has(type.name)) return;
  if (isDict(type)) {
    // Which key is not said: it can be a secret of the program.
    for (const { key, value } of entries(heap, object, MOST_ITEMS)) {
      yield { to: value, step: '[…]' };
      yield { to: key, step: ' (a key)' };
    }
  } else if ((type.flags & (LIST | TUPLE)) !== 0) {
    for (const to of items(heap, object, type, MOST_ITEMS)) yield { to, step: '[…]' };
  } else if (type.name === 'set' || type.name === 'frozenset') {
    for (const to of members(heap, object, MOST_ITEMS)) yield { to, step: ' (a member)' };
  } else if (type.name === 'collections.deque') {
    for (const to of dequeItems(heap, object)) yield { to, step: '[…]' };
  } else if (type.name === 'cell') {
    const to = memory.u64(object + CELL.value);
    if (to !== 0) yield { to, step: '' };
  } else if (type.name === 'method') {
    yield { to: memory.u64(object + 24), step: '.__self__' }; // PyMethodObject.im_self
  } else if ((type.flags & TYPE_SUBCLASS) !== 0) {
    yield* classMembers(heap, object);
  }
  for (const { key, value } of attributes(heap, object, type, MOST_ITEMS))
    yield { to: value, step: `.${text(heap, key, MOST_KEY)}` };
}

/** The attributes of a class that the program wrote; what it inherits is its bases'. */
function* classMembers(heap: Heap, object: number): Generator<Edge> {
  const dict = heap.memory.u64(object + TYPE.dict);
  if (dict === 0 || (heap.memory.u32(object + TYPE.flags) & (1 << 9)) === 0) return;
  for (const { key, value } of entries(heap, dict, MOST_ITEMS))
    if (typeOf(heap, value).name !== 'function') yield { to: value, step: `.${text(heap, key, MOST_KEY)}` };
}

function* dequeItems({ memory }: Heap, deque: number): Generator<number> {
  const count = Math.min(memory.u64(deque + OBJECT.size), MOST_ITEMS);
  let block = memory.u64(deque + DEQUE.leftBlock);
  let index = memory.u64(deque + DEQUE.leftIndex);
  for (let i = 0; i < count; i++) {
    if (index >= DEQUE.blockLength) {
      block = memory.u64(block + DEQUE.blockRight);
      index = 0;
    }
    yield memory.u64(block + DEQUE.blockItems + 8 * index++);
  }
}
