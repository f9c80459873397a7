import type { SocketObject } from '../../model/inside.ts';
import { SOCKET, TYPE } from '../../parse/python/layouts.ts';
import { isExpected } from './find.ts';
import { entries, find, type Heap, type Type, text, typeOf } from './heap.ts';

const SOCKET_BASE = '_socket.socket';
const HEAP_TYPE = 1 << 9; // Py_TPFLAGS_HEAPTYPE
const MOST_MEMBERS = 2000;

export const isSocket = ({ name, bases }: Type): boolean => name === SOCKET_BASE || bases.includes(SOCKET_BASE);

/** An open socket object by its address. */
export type FoundSocket = { address: number; object: SocketObject };

/** What the objects stand for; those that are closed have no descriptor any more and stand for nothing. */
export function readSockets(heap: Heap, addresses: Iterable<number>): FoundSocket[] {
  const names = new Map<number, string>();
  return [...addresses].flatMap((address) => {
    try {
      const type = typeOf(heap, address);
      const fd = heap.memory.s32(address + SOCKET.fd);
      if (!isSocket(type) || fd < 0) return [];
      let name = names.get(type.address);
      if (name === undefined) {
        name = typeName(heap, type);
        names.set(type.address, name);
      }
      return { address, object: { type: name, fd } };
    } catch (error) {
      if (isExpected(error)) return []; // it was freed since
      throw error;
    }
  });
}

/** Module and qualified name of a class: `socket.socket`, `ssl.SSLSocket`. */
export function typeName(heap: Heap, type: Type): string {
  const { memory, layout } = heap;
  if ((type.flags & HEAP_TYPE) === 0) return type.name;
  try {
    const dict = memory.u64(type.address + TYPE.dict);
    const module = dict === 0 ? undefined : find(heap, entries(heap, dict, MOST_MEMBERS), '__module__');
    if (module === undefined) return type.name;
    return `${text(heap, module)}.${text(heap, memory.u64(type.address + layout.type.qualifiedName))}`;
  } catch (error) {
    if (isExpected(error)) return type.name;
    throw error;
  }
}
