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

/** A list of numbers that grows by pieces of others: of runs that may be long, or of one each. */
export class NumberList {
  #numbers: Uint32Array<ArrayBuffer>;
  #size = 0;

  /** With the number that will come it need not grow. */
  constructor(expected = 16) {
    this.#numbers = new Uint32Array(expected);
  }

  get length(): number {
    return this.#size;
  }

  /** Adds those of another list from one place to before another. */
  add(numbers: Uint32Array, from = 0, to = numbers.length): void {
    this.#reserve(to - from);
    // A view is an object, which for each of 100,000 numbers takes longer than all else.
    if (to - from > SHORT) this.#numbers.set(numbers.subarray(from, to), this.#size);
    else for (let place = from; place < to; place++) this.#numbers[this.#size + place - from] = numbers[place] ?? 0;
    this.#size += to - from;
  }

  push(number: number): void {
    this.#reserve(1);
    this.#numbers[this.#size++] = number;
  }

  at(place: number): number {
    return this.#numbers[place] ?? 0;
  }

  #reserve(more: number): void {
    const { length } = this.#numbers;
    if (this.#size + more <= length) return;
    const larger = new Uint32Array(Math.max(this.#size + more, length * 2));
    larger.set(this.#numbers);
    this.#numbers = larger;
  }

  /** As it is now. */
  get numbers(): Uint32Array {
    return this.#numbers.subarray(0, this.#size);
  }
}

const SHORT = 32;
