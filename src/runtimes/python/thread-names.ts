import { MODULE } from '../../parse/python/layouts.ts';
import { attributes, entries, find, type Heap, integer, text, typeOf } from './heap.ts';
import { isTorn } from './torn.ts';

const MOST_MODULES = 20_000;
const MOST_THREADS = 8192;
const MOST_ATTRIBUTES = 100;

/** What the module threading says of a thread. */
export type NamedThread = { name?: string; nativeId?: number };

/** The threads that threading knows, by the number it has for them; none when the program never imported it. */
export function namedThreads(heap: Heap, interpreter: number): Map<number, NamedThread> {
  const found = new Map<number, NamedThread>();
  try {
    const active = moduleValue(heap, interpreter, 'threading', '_active');
    if (active === undefined) return found;
    for (const { key, value } of entries(heap, active, MOST_THREADS)) {
      const ident = integer(heap, key);
      if (ident !== undefined) found.set(ident, describe(heap, value));
    }
  } catch (error) {
    if (!isTorn(error)) throw error;
  }
  return found;
}

function describe(heap: Heap, thread: number): NamedThread {
  const type = typeOf(heap, thread);
  const value = (name: string) => find(heap, attributes(heap, thread, type, MOST_ATTRIBUTES), name);
  const name = value('_name');
  const nativeId = value('_native_id'); // from 3.8 on
  const id = nativeId === undefined ? undefined : integer(heap, nativeId);
  const isText = name !== undefined && typeOf(heap, name).name === 'str';
  return { ...(isText && { name: text(heap, name) }), ...(id !== undefined && { nativeId: id }) };
}

/** A global variable of a module that the program has imported. */
function moduleValue(heap: Heap, interpreter: number, module: string, name: string): number | undefined {
  const modules = heap.memory.u64(interpreter + heap.layout.interpreter.modules);
  const found = modules === 0 ? undefined : find(heap, entries(heap, modules, MOST_MODULES), module);
  if (found === undefined) return undefined;
  const globals = heap.memory.u64(found + MODULE.dict);
  return globals === 0 ? undefined : find(heap, entries(heap, globals, MOST_MODULES), name);
}
