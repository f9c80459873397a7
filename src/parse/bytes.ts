import { ParseError } from '../model/errors.ts';

/**
 * Reads the fields of one struct in the struct's own order. Every read is checked against the end and an error says
 * where: `inet_diag_msg+68: needs 4 bytes, 2 left`. Little-endian unless the method says otherwise.
 * One reader can be moved over many structs with `at`, so that a table of 100,000 sockets needs one object.
 */
export class StructReader {
  readonly struct: string;
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #start = 0;
  #next = 0;
  #end: number;

  constructor(struct: string, bytes: Uint8Array) {
    this.struct = struct;
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.byteLength;
  }

  /** Moves to a struct that begins at `start` and ends before `end`. */
  at(start: number, end: number): this {
    if (start < 0 || end < start || end > this.bytes.byteLength) {
      throw new ParseError(this.struct, `${start}..${end} lies outside of ${this.bytes.byteLength} bytes`);
    }
    this.#start = start;
    this.#next = start;
    this.#end = end;
    return this;
  }

  get left(): number {
    return this.#end - this.#next;
  }

  /** Offset of the next field in `bytes`. */
  get position(): number {
    return this.#next;
  }

  #take(size: number): number {
    const offset = this.#next;
    if (offset + size > this.#end) {
      throw new ParseError(
        `${this.struct}+${offset - this.#start}`,
        `needs ${size} bytes, ${Math.max(0, this.#end - offset)} left`,
      );
    }
    this.#next = offset + size;
    return offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u16be(): number {
    return this.#view.getUint16(this.#take(2), false);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  s32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  skip(size: number): void {
    this.#take(size);
  }

  /** A view, not a copy. */
  slice(size: number): Uint8Array {
    const offset = this.#take(size);
    return this.bytes.subarray(offset, offset + size);
  }
}
