import { ParseError } from '../../model/errors.ts';
import type { RawFrame } from './code.ts';
import type { Heap } from './heap.ts';

/** Deeper than the interpreter lets a program go (1000) unless it asks for more. */
const MOST_FRAMES = 2000;

const OWNED_BY_GENERATOR = 1;
/** Entry of the C stack from 3.12 on: no frame of the program. */
const OWNED_BY_C_STACK = 3;

/** The frame that a thread runs, by the address of its PyThreadState; 0 when it runs none. */
export function currentFrame({ memory, layout }: Heap, thread: number): number {
  const frame = memory.u64(thread + layout.thread.frame);
  if (layout.thread.currentFrame === undefined || frame === 0) return frame;
  return memory.u64(frame + layout.thread.currentFrame);
}

/** From this frame outwards, the innermost first. */
export function walkFrames(heap: Heap, innermost: number): RawFrame[] {
  const frames: RawFrame[] = [];
  const seen = new Set<number>();
  for (let address = innermost; address !== 0; address = heap.memory.u64(address + heap.layout.frame.previous)) {
    if (seen.has(address) || seen.size >= MOST_FRAMES) throw new ParseError('frame', 'the chain of callers has no end');
    seen.add(address);
    const frame = readFrame(heap, address);
    if (frame.owner !== OWNED_BY_C_STACK) frames.push(frame);
  }
  return frames;
}

export function readFrame({ memory, layout }: Heap, address: number): RawFrame {
  const code = memory.u64(address + layout.frame.code);
  const owner = layout.frame.owner === undefined ? 0 : memory.u8(address + layout.frame.owner);
  return { address, code, owner, at: owner === OWNED_BY_C_STACK ? -1 : position({ memory, layout }, address, code) };
}

function position({ memory, layout }: Pick<Heap, 'memory' | 'layout'>, address: number, code: number): number {
  const at = address + layout.frame.instruction;
  if (layout.code.bytecode !== undefined) return memory.u64(at) - (code + layout.code.bytecode);
  return memory.s32(at) * (layout.lines === 'linetable' ? 2 : 1); // 3.10 counts instructions, of 2 bytes
}

/** Whether a function is only being entered: its arguments are not in place yet, and no trace shows it. */
export const isIncomplete = ({ owner, at }: RawFrame, firstInstruction: number, hasOwner: boolean): boolean =>
  hasOwner && owner !== OWNED_BY_GENERATOR && at < firstInstruction * 2;

/** The topmost value of the stack of a frame that is suspended: what it awaits. */
export function topOfStack({ memory, layout: { frame } }: Heap, address: number): number | undefined {
  if (frame.stackTop !== undefined) {
    const top = memory.u64(address + frame.stackTop);
    return top === 0 ? undefined : memory.u64(top - 8);
  }
  const depth = memory.s32(address + (frame.stackDepth ?? 0));
  if (depth <= 0 || depth > MOST_STACK) return undefined;
  const bottom = frame.valueStack === undefined ? address + frame.locals : memory.u64(address + frame.valueStack);
  return memory.u64(bottom + 8 * (depth - 1));
}

const MOST_STACK = 100_000;
