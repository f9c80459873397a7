import type { Frame } from '../../model/inside.ts';
import { lineAt } from '../../parse/python/lines.ts';
import { originOf } from '../../parse/python/origin.ts';
import { bytes, type Heap, items, text, typeOf } from './heap.ts';

/** What is needed of a code object, and the addresses of its names, which tell it from another one at the same place. */
export type Code = {
  file: string;
  function: string;
  firstLine: number;
  lines: Uint8Array;
  firstInstruction: number;
  names: [number, number];
};

/** Those that were read, by address: the frames of a program share few of them. */
export type Codes = Map<number, Code>;

/** The line tables of generated code were seen with 300 KB. */
const MOST_LINES = 1024 * 1024;

/** Undefined when there is no code object at this address. */
export function codeAt(heap: Heap, codes: Codes, address: number): Code | undefined {
  const { code: at } = heap.layout;
  const file = heap.memory.u64(address + at.file);
  const name = heap.memory.u64(address + (at.qualifiedName ?? at.name));
  const known = codes.get(address);
  if (known?.names[0] === file && known.names[1] === name) return known;
  if (typeOf(heap, address).name !== 'code') return undefined;
  const code: Code = {
    file: text(heap, file),
    function: text(heap, name),
    firstLine: heap.memory.u32(address + at.firstLine),
    lines: bytes(heap, heap.memory.u64(address + at.lines), MOST_LINES),
    firstInstruction: at.firstTraceable === undefined ? 0 : heap.memory.u32(address + at.firstTraceable),
    names: [file, name],
  };
  codes.set(address, code);
  return code;
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
