import { ParseError } from '../../model/errors.ts';
import {
  BYTES,
  DICT,
  INTEGER,
  KEYS,
  KEYS_SIZE,
  type Layout,
  LIST,
  OBJECT,
  SET,
  TEXT,
  TUPLE,
  TYPE,
} from '../../parse/python/layouts.ts';
import { decodeText, textForm } from '../../parse/python/text.ts';
import type { ReadableMemory } from './memory.ts';

/** Objects of one interpreter's memory, and what is known of their types. */
export type Heap = { memory: ReadableMemory; layout: Layout; types: Map<number, Type> };

/** What of a type is needed over and over. */
export type Type = {
  address: number;
  /** As the type has it: `dict`, `socket`, `_socket.socket`. */
  name: string;
  flags: number;
  basicSize: number;
  dictOffset: number;
  /** Names of its bases, the nearest first. */
  bases: string[];
};

/** Names of files and functions. */
const MOST_TEXT = 4096;
const MOST_BASES = 32;
const MOST_TYPE_NAME = 200;

export const typeOf = (heap: Heap, object: number): Type => typeAt(heap, heap.memory.u64(object + OBJECT.type));

export function typeAt(heap: Heap, address: number): Type {
  let type = heap.types.get(address);
  if (!type) {
    type = readType(heap, address);
    heap.types.set(address, type);
  }
  return type;
}

function readType({ memory }: Heap, address: number): Type {
  const names: string[] = [];
  for (let type = address; type !== 0 && names.length < MOST_BASES; type = memory.u64(type + TYPE.base))
    names.push(memory.cString(memory.u64(type + TYPE.name), MOST_TYPE_NAME));
  const [name = '', ...bases] = names;
  const dictOffset = memory.s32(address + TYPE.dictOffset);
  const basicSize = memory.u32(address + TYPE.basicSize);
  return { address, name, flags: memory.u32(address + TYPE.flags), basicSize, dictOffset, bases };
}

/** A str; anything else is a ParseError. */
export function text(heap: Heap, address: number, most = MOST_TEXT): string {
  const { memory, layout } = heap;
  if (typeOf(heap, address).name !== 'str') throw new ParseError('str', `another type at 0x${address.toString(16)}`);
  const { width, ascii } = textForm(memory.u32(address + TEXT.state));
  const length = Math.min(memory.u64(address + TEXT.length), most);
  return decodeText(width, memory.read(address + (ascii ? layout.text.ascii : layout.text.compact), length * width));
}

export function bytes(heap: Heap, address: number, most: number): Uint8Array {
  if (typeOf(heap, address).name !== 'bytes') throw new ParseError('bytes', 'another type');
  const size = heap.memory.u64(address + OBJECT.size);
  if (size > most) throw new ParseError('bytes', `${size} bytes`);
  return heap.memory.read(address + BYTES.data, size);
}

/** An int that is not negative and fits into a double; undefined for others. */
export function integer(heap: Heap, address: number): number | undefined {
  if (typeOf(heap, address).name !== 'int') return undefined;
  const size = heap.memory.u64(address + OBJECT.size);
  // From 3.12 on lv_tag: the count above three bits, of which the lowest two are the sign (0 positive, 1 zero).
  const tagged = heap.layout.attributes === 'tagged' || heap.layout.attributes === 'inline';
  if (tagged && (size & 3) > 1) return undefined;
  const count = tagged ? Math.floor(size / 8) : size;
  if (count > 2) return undefined;
  let value = 0;
  for (let i = 0; i < count; i++) value += heap.memory.u32(address + INTEGER.digits + 4 * i) * 2 ** (30 * i);
  return value;
}

export type Entry = { key: number; value: number };

const KEY_VALUE = 16;
const HASH_KEY_VALUE = 24;
/** dk_kind from 3.11 on: entries with a hash. */
const GENERAL = 0;

/** What a dict's table of keys holds: where its entries are, and how large each is. */
type Keys = { count: number; entries: number; size: number };

function readKeys({ memory, layout }: Heap, keys: number): Keys {
  const count = memory.u64(keys + layout.keys.entries);
  if (layout.lines !== 'locations') {
    // Until 3.10: dk_size, a power of two, decides how wide an index is.
    const size = memory.u64(keys + KEYS_SIZE);
    const width = size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffffffff ? 4 : 8;
    return { count: checked(count, size), entries: keys + layout.keys.indices + size * width, size: HASH_KEY_VALUE };
  }
  const log2Size = memory.u8(keys + KEYS.log2Size);
  const log2IndexBytes = memory.u8(keys + KEYS.log2IndexBytes);
  const size = memory.u8(keys + KEYS.kind) === GENERAL ? HASH_KEY_VALUE : KEY_VALUE;
  return { count: checked(count, 2 ** log2Size), entries: keys + layout.keys.indices + 2 ** log2IndexBytes, size };
}

function checked(count: number, size: number): number {
  if (count > size || size > 2 ** 40) throw new ParseError('dict', `${count} entries in ${size}`);
  return count;
}

/** The entries of a dict in their order, at most `most`. */
export function* entries(heap: Heap, dict: number, most: number): Generator<Entry> {
  const { memory } = heap;
  const keys = memory.u64(dict + DICT.keys);
  const values = memory.u64(dict + DICT.values);
  // PyDictValues begins with four numbers of a byte each from 3.13 on.
  const items = values === 0 ? undefined : values + (heap.layout.attributes === 'inline' ? 8 : 0);
  yield* entriesOf(heap, readKeys(heap, keys), items, most);
}

function* entriesOf({ memory }: Heap, keys: Keys, values: number | undefined, most: number): Generator<Entry> {
  for (let i = 0; i < Math.min(keys.count, most); i++) {
    const at = keys.entries + i * keys.size + (keys.size === HASH_KEY_VALUE ? 8 : 0);
    const key = memory.u64(at);
    const value = memory.u64(values === undefined ? at + 8 : values + 8 * i);
    if (key !== 0 && value !== 0) yield { key, value };
  }
}

/** Whether it is a dict or derived from one. */
export const isDict = ({ flags }: Type): boolean => (flags & (1 << 29)) !== 0; // Py_TPFLAGS_DICT_SUBCLASS
const MANAGED_DICT = 1 << 4;
const INLINE_VALUES = 1 << 2;

/** The attributes that an object has of itself, as its class keeps them in this version. */
export function* attributes(heap: Heap, object: number, type: Type, most: number): Generator<Entry> {
  const { memory, layout } = heap;
  if (layout.attributes === 'dict' || (type.flags & MANAGED_DICT) === 0) {
    const dict = type.dictOffset > 0 ? memory.u64(object + type.dictOffset) : 0;
    if (dict !== 0) yield* entries(heap, dict, most);
    return;
  }
  const { dict, values } = managed(heap, object, type);
  if (dict !== undefined) yield* entries(heap, dict, most);
  else if (values !== undefined)
    yield* entriesOf(heap, readKeys(heap, memory.u64(type.address + layout.type.cachedKeys)), values, most);
}

/** Where the interpreter keeps attributes in place of a pointer to a dict, before or behind the object. */
function managed({ memory, layout }: Heap, object: number, type: Type): { dict?: number; values?: number } {
  const word = memory.u64(object - 24);
  if (layout.attributes === 'values') {
    const values = memory.u64(object - 32);
    return values !== 0 ? { values } : word !== 0 ? { dict: word } : {};
  }
  if (layout.attributes === 'tagged') return word % 2 === 1 ? { values: word + 1 } : word !== 0 ? { dict: word } : {};
  if (word !== 0) return { dict: word };
  const inline = object + type.basicSize;
  const valid = (type.flags & INLINE_VALUES) !== 0 && memory.u8(inline + 3) === 1;
  return valid ? { values: inline + 8 } : {};
}

/** Value of the entry whose key is this text. */
export function find(heap: Heap, all: Iterable<Entry>, name: string): number | undefined {
  for (const { key, value } of all)
    if (typeOf(heap, key).name === 'str' && text(heap, key, name.length + 1) === name) return value;
  return undefined;
}

/** Pointers of a list or tuple. */
export function* items(heap: Heap, object: number, type: Type, most: number): Generator<number> {
  const { memory } = heap;
  const count = Math.min(memory.u64(object + OBJECT.size), most);
  const isTuple = (type.flags & (1 << 26)) !== 0; // Py_TPFLAGS_TUPLE_SUBCLASS
  const first = isTuple ? object + TUPLE.items : memory.u64(object + LIST.items);
  for (let i = 0; i < count; i++) {
    const item = memory.u64(first + 8 * i);
    if (item !== 0) yield item;
  }
}

export function* members(heap: Heap, set: number, most: number): Generator<number> {
  const { memory } = heap;
  const slots = Math.min(memory.u64(set + SET.mask) + 1, most);
  const table = memory.u64(set + SET.table);
  for (let i = 0; i < slots; i++) {
    const key = memory.u64(table + SET.entrySize * i);
    // A member that was taken out leaves an object whose hash is -1.
    if (key !== 0 && memory.u32(table + SET.entrySize * i + 12) !== 0xffffffff) yield key;
  }
}
