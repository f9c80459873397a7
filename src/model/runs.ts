// Loops over many rows of a table, each of which does one thing and calls nothing: what a report asks of each of 100,000
// sockets is put together of these. Such a loop is compiled once and then stays so, while one with rare branches, or with
// more behind it, is thrown away as soon as it comes to what it has not met before. Rows that came one after the other are
// mostly alike, so most questions are asked once for each run of equal ones.

/** Where the rows end that have the same value in a column as the one at `from`; at most at `to`. */
export function endOfRun(column: Uint32Array, rows: Uint32Array, from: number, to: number): number {
  const value = column[rows[from] ?? 0] ?? 0;
  let end = from + 1;
  while (end < to && (column[rows[end] ?? 0] ?? 0) === value) end++;
  return end;
}

/** The same of values that lie side by side. */
export function endOfEqual(values: Uint32Array, from: number, to: number): number {
  const value = values[from] ?? 0;
  let end = from + 1;
  while (end < to && (values[end] ?? 0) === value) end++;
  return end;
}

/** The next place, from one on, whose row has a value in a column; at most `to`. */
export function nextWith(value: number, column: Uint32Array, rows: Uint32Array, from: number, to: number): number {
  let place = from;
  while (place < to && (column[rows[place] ?? 0] ?? 0) !== value) place++;
  return place;
}

/** Puts pieces of lists together. */
export function together(pieces: readonly Uint32Array[]): Uint32Array {
  const [only] = pieces;
  if (only && pieces.length === 1) return only;
  const all = new Uint32Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
