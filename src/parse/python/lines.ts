import { ParseError } from '../../model/errors.ts';
import type { LineTable } from './layouts.ts';

/** Which line the instruction at byte `at` of the bytecode is of; undefined where the table says that it is of none. */
export function lineAt(kind: LineTable, table: Uint8Array, firstLine: number, at: number): number | undefined {
  if (at < 0) return firstLine; // nothing of it has run yet
  const line = { lnotab, linetable, locations }[kind](table, firstLine, at);
  return line !== undefined && line > 0 ? line : undefined;
}

const signed = (byte: number): number => (byte > 127 ? byte - 256 : byte);

/** Until 3.9 (Objects/lnotab_notes.txt): pairs of bytes, how many further bytes of code, how many further lines. */
function lnotab(table: Uint8Array, firstLine: number, at: number): number {
  let line = firstLine;
  let address = 0;
  for (let i = 0; i + 1 < table.length; i += 2) {
    address += table[i] ?? 0;
    if (address > at) break;
    line += signed(table[i + 1] ?? 0);
  }
  return line;
}

/** 3.10 (Objects/lnotab_notes.txt): pairs of bytes, how long the piece of code is, how many lines from the piece before; -128: none. */
function linetable(table: Uint8Array, firstLine: number, at: number): number | undefined {
  let line = firstLine;
  let end = 0;
  for (let i = 0; i + 1 < table.length; i += 2) {
    const change = signed(table[i + 1] ?? 0);
    end += table[i] ?? 0;
    if (change !== -128) line += change;
    if (end > at) return change === -128 ? undefined : line;
  }
  return undefined;
}

/** From 3.11 on (Objects/locations.md, later InternalDocs/code_objects.md): each entry begins with a byte that has its highest bit set. */
function locations(table: Uint8Array, firstLine: number, at: number): number | undefined {
  let line = firstLine;
  let end = 0;
  for (let i = 0; i < table.length; ) {
    const first = table[i] ?? 0;
    if ((first & 0x80) === 0) throw new ParseError('co_linetable', `byte ${i} begins no entry`);
    const code = (first >> 3) & 15;
    let next = i + 1;
    while (next < table.length && ((table[next] ?? 0) & 0x80) === 0) next++;
    if (code === LONG || code === NO_COLUMNS) line += signedVarint(table, i + 1);
    else if (code >= ONE_LINE && code < NO_COLUMNS) line += code - ONE_LINE;
    end += ((first & 7) + 1) * 2; // code units of 2 bytes
    if (end > at) return code === NO_LOCATION ? undefined : line;
    i = next;
  }
  return undefined;
}

const ONE_LINE = 10;
const NO_COLUMNS = 13;
const LONG = 14;
const NO_LOCATION = 15;

/** Six bits in each byte, the lowest first; 64 says that more follow. The lowest bit of the whole is the sign. */
function signedVarint(table: Uint8Array, from: number): number {
  let value = 0;
  for (let i = from, shift = 0; i < table.length && shift < 30; i++, shift += 6) {
    const byte = table[i] ?? 0;
    value += (byte & 63) * 2 ** shift;
    if ((byte & 64) === 0) break;
  }
  const half = Math.floor(value / 2);
  return value % 2 === 1 ? -half : half;
}
