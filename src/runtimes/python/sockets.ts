import type { SocketObject } from '../../model/inside.ts';
import { FILE_FD, SOCKET, TYPE } from '../../parse/python/layouts.ts';
import { attributes, entries, find, type Heap, integer, type Type, text, typeOf } from './heap.ts';
import { isTorn } from './torn.ts';

const SOCKET_BASE = '_socket.socket';
const HEAP_TYPE = 1 << 9; // Py_TPFLAGS_HEAPTYPE
const MOST_MEMBERS = 2000;

/** What of the standard library can stand for a connection. */
export type Kind = 'socket' | 'file' | 'channel';

export function kindOf({ name, bases }: Type): Kind | undefined {
  const all = [name, ...bases];
  if (all.includes(SOCKET_BASE)) return 'socket';
  if (all.includes('_io.FileIO')) return 'file';
  // multiprocessing.connection: it takes the descriptor out of a socket and keeps the number.
  return name === 'Connection' && bases.includes('_ConnectionBase') ? 'channel' : undefined;
}

/** An open socket object by its address. */
export type FoundSocket = { address: number; object: SocketObject & { fd: number } };

/**
 * What the objects stand for. Those that are closed have no descriptor any more and stand for nothing; a file or channel
 * counts where its descriptor is one of a socket.
 */
export function readSockets(
  heap: Heap,
  addresses: Iterable<number>,
  isSocketFd: (fd: number) => boolean,
): FoundSocket[] {
  const names = new Map<number, string>();
  return [...addresses].flatMap((address) => {
    try {
      const type = typeOf(heap, address);
      const kind = kindOf(type);
      const fd = kind && fdOf(heap, address, type, kind);
      if (fd === undefined || fd < 0 || (kind !== 'socket' && !isSocketFd(fd))) return [];
      let name = names.get(type.address);
      if (name === undefined) {
        name = typeName(heap, type);
        names.set(type.address, name);
      }
      return { address, object: { type: name, fd } };
    } catch (error) {
      if (isTorn(error)) return []; // it was freed since
      throw error;
    }
  });
}

function fdOf(heap: Heap, address: number, type: Type, kind: Kind): number | undefined {
  if (kind === 'socket') return heap.memory.s32(address + SOCKET.fd);
  if (kind === 'file') return heap.memory.s32(address + FILE_FD);
  const handle = find(heap, attributes(heap, address, type, MOST_MEMBERS), '_handle');
  return handle === undefined ? undefined : integer(heap, handle);
}

/** Module and qualified name of a class: `socket.socket`, `ssl.SSLSocket`. */
function typeName(heap: Heap, type: Type): string {
  const { memory, layout } = heap;
  if ((type.flags & HEAP_TYPE) === 0) return type.name;
  try {
    const dict = memory.u64(type.address + TYPE.dict);
    const module = dict === 0 ? undefined : find(heap, entries(heap, dict, MOST_MEMBERS), '__module__');
    if (module === undefined) return type.name;
    return `${text(heap, module)}.${text(heap, memory.u64(type.address + layout.type.qualifiedName))}`;
  } catch (error) {
    if (isTorn(error)) return type.name;
    throw error;
  }
}
