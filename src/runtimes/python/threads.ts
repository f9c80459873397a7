import type { Frame } from '../../model/inside.ts';
import { GIL } from '../../parse/python/layouts.ts';
import { type Codes, codeAt, describeFrame, type RawFrame } from './code.ts';
import { currentFrame, isIncomplete, walkFrames } from './frames.ts';
import type { Heap } from './heap.ts';
import { isTorn } from './torn.ts';

const MOST_INTERPRETERS = 64;
const MOST_THREADS = 4096;

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

/**
 * The interpreter's lock: which thread's state had it last, whether it has it now, and how often it went over to another
 * thread. Undefined when there is none.
 */
export function readLock({ memory, layout }: Heap, runtime: number, interpreter: number): Lock | undefined {
  const gil =
    layout.interpreter.gil === undefined
      ? runtime + (layout.runtime.gil ?? 0)
      : memory.u64(interpreter + layout.interpreter.gil);
  if (gil === 0) return undefined;
  return {
    holder: memory.u64(gil + GIL.holder),
    locked: memory.s32(gil + GIL.locked) === 1,
    switches: memory.u64(gil + GIL.switches),
  };
}

export type Lock = { holder: number; locked: boolean; switches: number };

/** A stack, or of a thread that never stood still only its outermost calls. */
export type Stack = { frames: RawFrame[]; whole: boolean };

/**
 * A thread's frames. Nobody stops it meanwhile, so that a walk through them counts only when it is known that the thread did
 * not move: `standing` tells something before and after that is the same only then, and undefined where that cannot be told.
 * Of a thread that moves all the time, the calls are given that every one of several looks has in common.
 */
export function readStack(heap: Heap, thread: number, standing: () => string | undefined): Stack | undefined {
  const looks: RawFrame[][] = [];
  for (let look = 0; look < LOOKS; look++) {
    heap.memory.forget();
    const before = standing();
    const frames = attemptFrames(heap, thread);
    heap.memory.forget();
    if (!frames) continue;
    if (before !== undefined && before === standing()) return { frames, whole: true };
    looks.push(frames);
  }
  return commonStack(looks);
}

/** What several looks have in common. A look with another outermost call was cut short. */
function commonStack(looks: RawFrame[][]): Stack | undefined {
  const outermost = looks.map((frames) => frames.at(-1)?.address);
  const right = looks.filter((_, i) => outermost.filter((other) => other === outermost[i]).length > LOOKS / 2);
  const [first, ...others] = right;
  if (!first || first.length === 0) return undefined;
  let frames = first;
  let whole = right.length === LOOKS;
  for (const look of others) {
    const same = agreeing(frames, look);
    whole &&= same.length === look.length && same.length === frames.length;
    frames = same;
  }
  return { frames, whole };
}

/**
 * Loops of a few microseconds showed callers and callees of different moments in 1 of 100 pairs of looks, on 3.8; with six there was
 * none.
 */
const LOOKS = 6;

/** CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR of code.h. */
const RESUMABLE = 0x20 | 0x80 | 0x200;

/** Undefined also where a generator is the outermost: it was just left, for somebody resumes each. */
function attemptFrames(heap: Heap, thread: number): RawFrame[] | undefined {
  try {
    const frames = walkFrames(heap, currentFrame(heap, thread));
    const outermost = frames.at(-1);
    const flags = outermost ? heap.memory.u32(outermost.code + heap.layout.code.flags) : 0;
    return (flags & RESUMABLE) === 0 ? frames : undefined;
  } catch (error) {
    if (isTorn(error)) return undefined;
    throw error;
  }
}

/**
 * The frames that both have, counted from the outermost. Functions that called another stand at that call in both looks;
 * the innermost of the common ones may have gone on, and is where the second look has it.
 */
function agreeing(a: RawFrame[], b: RawFrame[]): RawFrame[] {
  let count = 0;
  while (count < a.length && count < b.length) {
    const [one, two] = [a.at(-1 - count), b.at(-1 - count)];
    if (one?.address !== two?.address || one?.code !== two?.code) break;
    count++;
    if (one?.at !== two?.at) break;
  }
  return count === 0 ? [] : b.slice(-count);
}

/** In the words of the program; undefined when a frame runs no code, and so was none. */
export function describeStack(heap: Heap, codes: Codes, frames: RawFrame[]): Frame[] | undefined {
  const described: Frame[] = [];
  for (const frame of frames) {
    const code = codeAt(heap, codes, frame.code);
    if (!code) return undefined;
    const hasOwner = heap.layout.frame.owner !== undefined;
    if (!isIncomplete(frame, code.firstInstruction, hasOwner)) described.push(describeFrame(code, frame, heap.layout));
  }
  return described;
}
