import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { CaptureText } from '../../../src/parse/captures/capture.ts';
import type { CaptureRow } from '../../../src/parse/captures/row.ts';
import { parseCapture } from '../../../src/parse/captures/text.ts';

const FOLDER = new URL('../../../fixtures/captures/', import.meta.url);

export const fixture = (name: string): string => readFileSync(new URL(name, FOLDER), 'utf8');

export const rowsIn = ({ captures }: CaptureText): CaptureRow[] => captures.flatMap(({ rows }) => rows);

/** The rows of a text of which every line is understood. */
export function rowsOf(text: string): CaptureRow[] {
  const read = parseCapture(text);
  assert.deepEqual(read.errors, []);
  return rowsIn(read);
}

/** The only row of one line, without its number. */
export function rowOf(line: string): Omit<CaptureRow, 'line'> {
  const [row, ...more] = rowsOf(line);
  assert.ok(row && more.length === 0, `${more.length + 1} rows`);
  const { line: _number, ...rest } = row;
  return rest;
}

export function countStates(rows: CaptureRow[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { state = 'none', closed } of rows) {
    const key = closed ? 'closed' : state;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}
