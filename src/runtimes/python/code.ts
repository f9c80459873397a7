import type { Frame } from '../../model/inside.ts';
import { lineAt } from '../../parse/python/lines.ts';
import { originOf } from '../../parse/python/origin.ts';
import { bytes, type Heap, items, text, typeOf } from './heap.ts';

/** What is needed of a code object. Those of a program do not change, and its frames share few of them. */
export type Code = { file: string; function: string; firstLine: number; lines: Uint8Array; firstInstruction: number };

/** The line tables of generated code were seen with 300 KB. */
const MOST_LINES = 1024 * 1024;

export function readCode(heap: Heap, address: number): Code | undefined {
  const { memory, layout } = heap;
  const { code } = layout;
  if (typeOf(heap, address).name !== 'code') return undefined;
  const name = memory.u64(address + (code.qualifiedName ?? code.name));
  return {
    file: text(heap, memory.u64(address + code.file)),
    function: text(heap, name),
    firstLine: memory.u32(address + code.firstLine),
    lines: bytes(heap, memory.u64(address + code.lines), MOST_LINES),
    firstInstruction: memory.u32(address + (code.firstTraceable ?? code.firstLine)),
  };
}

/** A frame as it is in memory. `at` is the byte of the bytecode that was run last, negative before the first. */
export type RawFrame = { address: number; code: number; at: number; owner: number };

export function describeFrame({ lines, ...code }: Code, { at }: RawFrame, layout: Heap['layout']): Frame {
  const line = lineAt(layout.lines, lines, code.firstLine, at);
  return { function: code.function, file: code.file, ...(line !== undefined && { line }), origin: originOf(code.file) };
}

/** Names of a frame's variables in the order in which it keeps them. */
export function localNames(heap: Heap, code: number): string[] {
  const { names, cellNames, freeNames } = heap.layout.code;
  return [names, cellNames, freeNames].flatMap((offset) => {
    if (offset === undefined) return [];
    const tuple = heap.memory.u64(code + offset);
    return [...items(heap, tuple, typeOf(heap, tuple), MOST_LOCALS)].map((name) => text(heap, name));
  });
}

const MOST_LOCALS = 256;
