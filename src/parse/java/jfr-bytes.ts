import { ParseError } from '../../model/errors.ts';

const latin1 = new TextDecoder('latin1');
const utf8 = new TextDecoder();

/**
 * Reads the values of a JFR file one after the other. Whole numbers are LEB128 with at most nine bytes, of which the ninth
 * takes all its bits; one that Number cannot hold stays a bigint.
 */
export class JfrBytes {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  at: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    if (at < 0 || end < at || end > bytes.length)
      throw new ParseError('jfr', `${at}..${end} lies outside of ${bytes.length} bytes`);
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.at;
  }

  skip(size: number): number {
    const from = this.at;
    if (size < 0 || size > this.left) throw new ParseError(`jfr+${from}`, `needs ${size} bytes, ${this.left} left`);
    this.at = from + size;
    return from;
  }

  u8(): number {
    return this.bytes[this.skip(1)] ?? 0;
  }

  float(): number {
    return this.#view.getFloat32(this.skip(4));
  }

  double(): number {
    return this.#view.getFloat64(this.skip(8));
  }

  long(): number | bigint {
    let value = 0;
    for (let shift = 0; shift < 49; shift += 7) {
      const byte = this.u8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    let large = BigInt(value);
    const eighth = this.u8();
    large |= BigInt(eighth & 0x7f) << 49n;
    if (eighth >= 0x80) large |= BigInt(this.u8()) << 56n;
    large = BigInt.asIntN(64, large);
    const number = Number(large);
    return Number.isSafeInteger(number) ? number : large;
  }

  /** A whole number that counts, or says where something is. */
  int(): number {
    const value = this.long();
    if (typeof value !== 'number') throw new ParseError(`jfr+${this.at}`, `${value} is no count`);
    return value;
  }

  /** How many values follow, each of at least one byte. */
  count(): number {
    const count = this.int();
    if (count < 0 || count > this.left) throw new ParseError(`jfr+${this.at}`, `${count} values in ${this.left} bytes`);
    return count;
  }

  /** A number stands for the text of that number in the pool of strings. */
  string(): string | number | bigint | undefined {
    const encoding = this.u8();
    if (encoding === 0) return undefined;
    if (encoding === 1) return '';
    if (encoding === 2) return this.long();
    const length = this.count();
    if (encoding === 4) return Array.from({ length }, () => String.fromCharCode(this.int() & 0xffff)).join('');
    if (encoding !== 3 && encoding !== 5)
      throw new ParseError(`jfr+${this.at}`, `${encoding} is no encoding of a text`);
    const from = this.skip(length);
    return (encoding === 3 ? utf8 : latin1).decode(this.bytes.subarray(from, from + length));
  }
}
