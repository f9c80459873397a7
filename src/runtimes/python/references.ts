import { BUFFERED_RAW, CELL, DEQUE, METHOD, OBJECT, TYPE } from '../../parse/python/layouts.ts';
import { attributes, entries, type Heap, isDict, items, members, text, typeOf } from './heap.ts';

/** Of one container. */
const MOST_ITEMS = 20_000;
const MOST_KEY = 60;

export type Edge = { to: number; step: string };

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

/** What socket.makefile() gives, and http.client reads answers from. */
const BUFFERED = new Set(['_io.BufferedReader', '_io.BufferedWriter', '_io.BufferedRandom']);

/** What an object refers to, and how one would write that. */
export function* references(heap: Heap, object: number): Generator<Edge> {
  const type = typeOf(heap, object);
  const { memory } = heap;
  if (LEAVES.has(type.name)) return;
  if (isDict(type)) {
    // Which key is not said: it can be a secret of the program.
    for (const { key, value } of entries(heap, object, MOST_ITEMS)) {
      yield { to: value, step: '[…]' };
      yield { to: key, step: '{…}' };
    }
  } else if ((type.flags & (LIST | TUPLE)) !== 0) {
    for (const to of items(heap, object, type, MOST_ITEMS)) yield { to, step: '[…]' };
  } else if (type.name === 'set' || type.name === 'frozenset') {
    for (const to of members(heap, object, MOST_ITEMS)) yield { to, step: '{…}' };
  } else if (type.name === 'collections.deque') {
    for (const to of dequeItems(heap, object)) yield { to, step: '[…]' };
  } else if (type.name === 'cell') {
    const to = memory.u64(object + CELL.value);
    if (to !== 0) yield { to, step: '' };
  } else if (type.name === 'method') {
    yield { to: memory.u64(object + METHOD.self), step: '.__self__' };
  } else if (BUFFERED.has(type.name)) {
    const to = memory.u64(object + BUFFERED_RAW);
    if (to !== 0) yield { to, step: '.raw' };
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
