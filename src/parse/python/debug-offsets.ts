import { ParseError } from '../../model/errors.ts';
import { StructReader } from '../bytes.ts';
import type { Layout } from './layouts.ts';

/** What the runtime begins with from 3.13 on, and how much of it is read here. */
export const DEBUG_COOKIE = 'xdebugpy';
export const DEBUG_OFFSETS_SIZE = 44 * 8;

export type DebugOffsets = { freeThreaded: boolean; layout: Layout };

/**
 * _Py_DebugOffsets of 3.13 (Include/internal/pycore_runtime.h), in the struct's own order: the offsets that the interpreter
 * tells of itself, which go before those of the table. Other minor versions have another order.
 */
export function readDebugOffsets(bytes: Uint8Array, table: Layout): DebugOffsets {
  const r = new StructReader('_Py_DebugOffsets', bytes);
  const cookie = String.fromCharCode(...r.slice(DEBUG_COOKIE.length));
  if (cookie !== DEBUG_COOKIE) throw new ParseError('_Py_DebugOffsets', `begins with ${JSON.stringify(cookie)}`);
  r.skip(8); // version
  const freeThreaded = r.u64() !== 0n;
  const offset = () => offsetOf(r);
  const rest = (fields: number) => r.skip(fields * 8);
  rest(2); // size, finalizing
  const runtime = { ...table.runtime, interpreters: offset() };
  rest(2); // size, id
  const next = offset();
  const threads = offset();
  const gc = offset();
  const modules = offset();
  const sys = offset();
  rest(1); // builtins
  const gil = offset();
  rest(6); // gil_runtime_state, enabled, locked, holder; size, prev
  const nextThread = offset();
  rest(1); // interp
  const currentFrame = offset();
  const thread = { next: nextThread, frame: currentFrame, id: offset(), nativeId: offset() };
  rest(3); // datastack_chunk, status; size
  const previous = offset();
  const code = offset();
  const instruction = offset();
  const frame = { ...table.frame, previous, code, instruction, locals: offset(), owner: offset() };
  rest(1); // size
  const file = offset();
  const name = offset();
  const qualifiedName = offset();
  const lines = offset();
  const firstLine = offset();
  rest(1); // argcount
  const names = offset();
  rest(1); // localspluskinds
  const bytecode = offset();
  return {
    freeThreaded,
    layout: {
      ...table,
      runtime,
      interpreter: { next, threads, gc, modules, sys, gil },
      thread,
      frame,
      code: { ...table.code, file, name, qualifiedName, lines, firstLine, names, bytecode },
    },
  };
}

/** The largest struct, PyInterpreterState, has 250 KB. */
const MOST = 4 * 1024 * 1024;

function offsetOf(r: StructReader): number {
  const value = r.u64();
  if (value > MOST) throw new ParseError('_Py_DebugOffsets', `offset ${value}`);
  return Number(value);
}
