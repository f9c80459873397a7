import type { Frame, Strand } from '../../model/inside.ts';
import { DRIVEN } from '../../parse/python/layouts.ts';
import { type Codes, codeAt, describeFrame, type RawFrame } from './code.ts';
import { readFrame, topOfStack } from './frames.ts';
import { type Heap, integer, type Type, text, typeOf } from './heap.ts';
import { isTorn } from './torn.ts';

const TASK = '_asyncio.Task';
/** Coroutines that await each other; a program nests a few dozen. */
const MOST_AWAITS = 200;
const PENDING = 0;
/** A task that is resumed all the time can be met in the middle. */
const LOOKS = 3;

export const isTask = ({ name, bases }: Type): boolean => name === TASK || bases.includes(TASK);

/** Whether the task type of this very interpreter is the one whose layout is known. */
export const isKnownTask = ({ layout }: Heap, type: Type): boolean =>
  type.name === TASK && type.basicSize === layout.task.size;

export type FoundTask = { strand: Strand; frames: RawFrame[] };

/** A task that is not done, with the coroutines that wait for each other in it, the innermost first; the same at several looks. A task that was
 * freed since is read as nothing. */
export function readTask(heap: Heap, codes: Codes, address: number): FoundTask | 'done' | undefined {
  try {
    if (heap.memory.u32(address + heap.layout.task.state) !== PENDING) return 'done';
    const found = awaits(heap, address);
    for (let look = 1; look < LOOKS; look++) {
      heap.memory.forget();
      const again = awaits(heap, address);
      if (!found || !again || signature(found) !== signature(again)) return undefined;
    }
    if (!found) return undefined;
    const described: Frame[] = [];
    for (const frame of found.frames) {
      const code = codeAt(heap, codes, frame.code);
      if (!code) return undefined;
      described.push(describeFrame(code, frame, heap.layout));
    }
    const name = taskName(heap, address);
    const strand: Strand = { kind: 'task', ...(name !== undefined && { name }), state: found.state, frames: described };
    return { strand, frames: found.frames };
  } catch (error) {
    if (isTorn(error)) return undefined;
    throw error;
  }
}

type Awaits = { state: string; frames: RawFrame[] };

const signature = ({ state, frames }: Awaits): string =>
  `${state} ${frames.map(({ address, code, at }) => `${address} ${code} ${at}`).join(' ')}`;

function awaits(heap: Heap, task: number): Awaits | undefined {
  const { memory, layout } = heap;
  if (!isKnownTask(heap, typeOf(heap, task))) return undefined;
  const frames: RawFrame[] = [];
  const seen = new Set<number>();
  let state: string | undefined;
  for (let driven = memory.u64(task + layout.task.coroutine); driven !== 0 && seen.size < MOST_AWAITS; ) {
    if (seen.has(driven)) return undefined;
    seen.add(driven);
    const { name } = typeOf(heap, driven);
    if (WRAPPERS.has(name)) {
      driven = memory.u64(driven + DRIVEN);
      continue;
    }
    if (!GENERATORS.has(name)) break;
    const found = suspended(heap, driven);
    if (!found) return undefined;
    state ??= found.state;
    frames.unshift(readFrame(heap, found.frame));
    // A generator that is no coroutine may also have been left in a yield, with anything on its stack.
    if (name === 'generator' || found.state !== 'CORO_SUSPENDED') break;
    driven = topOfStack(heap, found.frame) ?? 0;
  }
  return state === undefined ? undefined : { state, frames };
}

const GENERATORS = new Set(['coroutine', 'generator', 'async_generator']);
const WRAPPERS = new Set(['coroutine_wrapper', 'async_generator_asend', 'async_generator_athrow']);

/** The frame of a coroutine, and its state in the words of the module inspect. */
function suspended({ memory, layout }: Heap, generator: number): { frame: number; state: string } | undefined {
  if (layout.generator.state === undefined) {
    const frame = memory.u64(generator + layout.generator.frame);
    if (frame === 0) return undefined;
    if (memory.s32(frame + layout.frame.instruction) < 0) return { frame, state: 'CORO_CREATED' };
    return { frame, state: isRunning({ memory, layout }, frame) ? 'CORO_RUNNING' : 'CORO_SUSPENDED' };
  }
  const value = (memory.u8(generator + layout.generator.state) << 24) >> 24;
  if (value > 0) return undefined; // finished
  const [oldest, ...others] = layout.attributes === 'inline' ? [-3, -2, -1] : [-2, -1];
  const state = value === 0 ? 'CORO_RUNNING' : value === oldest ? 'CORO_CREATED' : 'CORO_SUSPENDED';
  if (value < 0 && value !== oldest && !others.includes(value)) return undefined;
  return { frame: generator + layout.generator.frame, state };
}

/** Until 3.10 the stack of a frame that runs is not where it is kept while it waits. */
function isRunning({ memory, layout }: Pick<Heap, 'memory' | 'layout'>, frame: number): boolean {
  if (layout.frame.stackTop !== undefined) return memory.u64(frame + layout.frame.stackTop) === 0;
  return memory.s32(frame + (layout.frame.stackDepth ?? 0)) < 0;
}

/** From 3.8 on. One that the program gave no name has only a number until somebody asks (from 3.12 on). */
function taskName(heap: Heap, task: number): string | undefined {
  if (heap.layout.task.name === undefined) return undefined;
  const name = heap.memory.u64(task + heap.layout.task.name);
  if (name === 0) return undefined;
  if (typeOf(heap, name).name === 'str') return text(heap, name);
  const number = integer(heap, name);
  return number === undefined ? undefined : `Task-${number}`;
}
