import { StructReader } from '../bytes.ts';

/** Reads memory of a process; throws where there is none. */
export type ReadMemory = (address: number, length: number) => Uint8Array;

// uv_signal_t of libuv 1.x with 64 bits (include/uv.h, include/uv/unix.h): the same from Node.js 16 to 26.
const HANDLE_TYPE = 16;
const SIGNAL_NUMBER = 104;
const LEFT = 112;
const RIGHT = 120;
const SIZE = 128;
/** UV_SIGNAL in uv_handle_type. */
const UV_SIGNAL = 16;

/** Watchers of one process: one per signal and event loop. More than this is no such tree. */
const MOST_WATCHERS = 4096;
/** The lower half of an address space with 47 bits, without its first page. */
const isAddress = (address: number): boolean => address >= 4096 && address < 2 ** 47 && address % 8 === 0;

/**
 * The signals that a program has libuv watch for, from the tree in which src/unix/signal.c keeps its watchers: `root` is
 * the address of `uv__signal_tree`. Undefined when what lies there is no such tree.
 */
export function watchedSignals(read: ReadMemory, root: number): Set<number> | undefined {
  const first = Number(new StructReader('uv__signal_tree', read(root, 8)).u64());
  const signals = new Set<number>();
  const seen = new Set<number>();
  const open = [first];
  for (let address = open.pop(); address !== undefined; address = open.pop()) {
    if (address === 0) continue;
    if (!isAddress(address) || seen.has(address) || seen.size >= MOST_WATCHERS) return undefined;
    seen.add(address);
    const r = new StructReader('uv_signal_t', read(address, SIZE));
    const type = r.at(HANDLE_TYPE, SIZE).u32();
    const signal = r.at(SIGNAL_NUMBER, SIZE).s32();
    if (type !== UV_SIGNAL || signal < 1 || signal > 64) return undefined;
    signals.add(signal);
    open.push(Number(r.at(LEFT, SIZE).u64()), Number(r.at(RIGHT, SIZE).u64()));
  }
  return signals;
}
