import { ParseError } from '../../model/errors.ts';
import { JfrBytes } from './jfr-bytes.ts';
import type { JfrClass, JfrField, JfrTypes } from './jfr-types.ts';

/** A value as it stands in a file. Of a field whose values are pooled it is the number in the pool. */
export type JfrValue = string | number | bigint | boolean | undefined | JfrObject | JfrValue[];
export type JfrObject = { type: JfrClass; values: JfrValue[] };

const DEEPEST = 32;

/** The values of one chunk. What the classes of a broken file ask for is bounded by the bytes that it has. */
export class JfrValues {
  readonly types: JfrTypes;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  /** By the number of the class, then by that of the value. */
  readonly #pools = new Map<string, Map<number | bigint, JfrValue>>();
  #left: number;

  constructor(types: JfrTypes, bytes: Uint8Array, end: number) {
    this.types = types;
    this.#bytes = bytes;
    this.#end = end;
    this.#left = 4 * bytes.length + 1000;
  }

  read(type: string, from: JfrBytes, depth = 0): JfrValue {
    if (this.#left-- <= 0 || depth > DEEPEST) throw new ParseError(`jfr+${from.at}`, 'values lie too deep');
    const found = this.types.get(type);
    if (!found) throw new ParseError(`jfr+${from.at}`, `there is no class ${type}`);
    const primitive = PRIMITIVES[found.name];
    if (primitive) return primitive(from);
    return { type: found, values: found.fields.map((field) => this.#field(field, from, depth)) };
  }

  #field(field: JfrField, from: JfrBytes, depth: number): JfrValue {
    const one = (): JfrValue => (field.pooled ? from.long() : this.read(field.type, from, depth + 1));
    if (!field.array) return one();
    return Array.from({ length: from.count() }, one);
  }

  /** The pools lie in a chain of events, each with the distance to the one before. */
  readPools(start: number): void {
    for (let at = start, distance = -1; distance !== 0; at += distance) {
      const from = new JfrBytes(this.#bytes, at, this.#end);
      from.int(); // size
      if (from.int() !== 1) throw new ParseError(`jfr+${at}`, 'this is no checkpoint');
      for (let field = 0; field < 2; field++) from.long(); // start, duration
      distance = from.int();
      if (distance > 0) throw new ParseError(`jfr+${at}`, `the checkpoint before lies ${distance} bytes behind`);
      from.u8(); // what kind of checkpoint it is
      for (let pools = from.count(); pools > 0; pools--) this.#readPool(from);
    }
  }

  #readPool(from: JfrBytes): void {
    const type = String(from.long());
    const pool = this.#pools.get(type) ?? new Map<number | bigint, JfrValue>();
    this.#pools.set(type, pool);
    for (let left = from.count(); left > 0; left--) {
      const key = from.long();
      pool.set(key, this.read(type, from));
    }
  }

  /** A field by its name, looked up in the pool where it is pooled. */
  get(object: JfrValue, name: string): JfrValue {
    if (typeof object !== 'object' || Array.isArray(object)) return undefined;
    const index = object.type.fields.findIndex((field) => field.name === name);
    const field = object.type.fields[index];
    const value = object.values[index];
    if (!field?.pooled) return this.#text(field, value);
    return typeof value === 'number' || typeof value === 'bigint' ? this.#pools.get(field.type)?.get(value) : undefined;
  }

  /** A text may stand in the pool of texts. */
  #text(field: JfrField | undefined, value: JfrValue): JfrValue {
    if (!field || (typeof value !== 'number' && typeof value !== 'bigint')) return value;
    if (this.types.get(field.type)?.name !== 'java.lang.String') return value;
    return this.#pools.get(field.type)?.get(value);
  }

  text(object: JfrValue, name: string): string | undefined {
    const value = this.get(object, name);
    return typeof value === 'string' ? value : undefined;
  }

  number(object: JfrValue, name: string): number | undefined {
    const value = this.get(object, name);
    return typeof value === 'number' ? value : undefined;
  }
}

const PRIMITIVES: { [name: string]: ((from: JfrBytes) => JfrValue) | undefined } = {
  __proto__: null as never,
  boolean: (from) => from.u8() !== 0,
  byte: (from) => from.u8(),
  char: (from) => from.int(),
  short: (from) => from.long(),
  int: (from) => from.long(),
  long: (from) => from.long(),
  float: (from) => from.float(),
  double: (from) => from.double(),
  'java.lang.String': (from) => from.string(),
};
