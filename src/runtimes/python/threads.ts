import type { Strand } from '../../model/inside.ts';
import { GIL } from '../../parse/python/layouts.ts';
import { type Code, describeFrame, type RawFrame, readCode } from './code.ts';
import { isExpected } from './find.ts';
import { currentFrame, isIncomplete, walkFrames } from './frames.ts';
import type { Heap } from './heap.ts';

const MOST_INTERPRETERS = 64;
const MOST_THREADS = 4096;
/** A thread that runs changes its stack all the time; one that waits is the same at the first two looks. */
const MOST_LOOKS = 8;

/** A thread of the interpreter: its state's address, the number that threading has for it, and the kernel's in its own namespace. */
export type PythonThread = { state: number; ident: number; nativeId?: number };

/** The chain of structs from `first` on; a chain without end is a ParseError of the caller's own limit. */
function chain(heap: Heap, first: number, next: number, most: number): number[] {
  const found: number[] = [];
  for (let at = first; at !== 0 && found.length < most; at = heap.memory.u64(at + next)) found.push(at);
  return found;
}

export const interpreters = (heap: Heap, runtime: number): number[] =>
  chain(
    heap,
    heap.memory.u64(runtime + heap.layout.runtime.interpreters),
    heap.layout.interpreter.next,
    MOST_INTERPRETERS,
  );

export function threadsOf(heap: Heap, interpreter: number): PythonThread[] {
  const { memory, layout } = heap;
  const { threads } = layout.interpreter;
  return chain(heap, memory.u64(interpreter + threads), layout.thread.next, MOST_THREADS).map((state) => ({
    state,
    ident: memory.u64(state + layout.thread.id),
    ...(layout.thread.nativeId !== undefined && { nativeId: memory.u64(state + layout.thread.nativeId) }),
  }));
}

/** The state of the thread that runs the interpreter at this moment; undefined when none does. */
export function holderOf({ memory, layout }: Heap, runtime: number, interpreter: number): number | undefined {
  const gil =
    layout.interpreter.gil === undefined
      ? runtime + (layout.runtime.gil ?? 0)
      : memory.u64(interpreter + layout.interpreter.gil);
  if (gil === 0 || memory.s32(gil + GIL.locked) !== 1) return undefined;
  return memory.u64(gil + GIL.holder);
}

/** What of a stack was the same at two looks: all of it, or only the outer part. */
export type Stack = { frames: RawFrame[]; whole: boolean };

/**
 * A thread's frames, looked at until two looks give the same functions. Nobody stops it meanwhile: of one that never stays, only
 * the outermost calls are given that two looks agree about.
 */
export function readStack(heap: Heap, thread: number): Stack | undefined {
  let before: RawFrame[] | undefined;
  let common: RawFrame[] | undefined;
  for (let look = 0; look < MOST_LOOKS; look++) {
    heap.memory.forget();
    const frames = attemptFrames(heap, thread);
    if (frames && before) {
      const same = agreeing(before, frames);
      if (same.length === frames.length && same.length === before.length) return { frames, whole: true };
      common = same;
    }
    before = frames;
  }
  return common && common.length > 0 ? { frames: common, whole: false } : undefined;
}

function attemptFrames(heap: Heap, thread: number): RawFrame[] | undefined {
  try {
    return walkFrames(heap, currentFrame(heap, thread));
  } catch (error) {
    if (isExpected(error)) return undefined;
    throw error;
  }
}

/** The frames that both have, counted from the outermost. Of these the outer ones stand at the same call in both. */
function agreeing(a: RawFrame[], b: RawFrame[]): RawFrame[] {
  let count = 0;
  while (count < a.length && count < b.length) {
    const [one, two] = [a.at(-1 - count), b.at(-1 - count)];
    if (one?.address !== two?.address || one?.code !== two?.code) break;
    count++;
  }
  return count === 0 ? [] : b.slice(-count);
}

export type Codes = Map<number, Code>;

/** In the words of the program. A frame that is none (it was torn after all) makes the whole stack unknown. */
export function describeStack(heap: Heap, codes: Codes, frames: RawFrame[]): Strand['frames'] | undefined {
  const described: Strand['frames'] = [];
  for (const frame of frames) {
    let code = codes.get(frame.code);
    if (!code) {
      code = readCode(heap, frame.code);
      if (!code) return undefined;
      codes.set(frame.code, code);
    }
    const hasOwner = heap.layout.frame.owner !== undefined;
    if (!isIncomplete(frame, code.firstInstruction, hasOwner)) described.push(describeFrame(code, frame, heap.layout));
  }
  return described;
}
