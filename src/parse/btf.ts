import { ParseError } from '../model/errors.ts';

// BTF as in Documentation/bpf/btf.rst and include/uapi/linux/btf.h: a header, type records numbered from 1, and strings.

const BTF_MAGIC = 0xeb9f;
const HEADER_SIZE = 24;

const KIND = {
  INT: 1,
  PTR: 2,
  ARRAY: 3,
  STRUCT: 4,
  UNION: 5,
  ENUM: 6,
  FWD: 7,
  TYPEDEF: 8,
  VOLATILE: 9,
  CONST: 10,
  RESTRICT: 11,
  FUNC: 12,
  FUNC_PROTO: 13,
  VAR: 14,
  DATASEC: 15,
  FLOAT: 16,
  DECL_TAG: 17,
  TYPE_TAG: 18,
  ENUM64: 19,
} as const;

/** Words behind the three of struct btf_type: so many, and so many for each of its vlen entries. */
const TRAILING: Readonly<Record<number, readonly [fixed: number, each: number]>> = {
  [KIND.INT]: [1, 0],
  [KIND.PTR]: [0, 0],
  [KIND.ARRAY]: [3, 0],
  [KIND.STRUCT]: [0, 3],
  [KIND.UNION]: [0, 3],
  [KIND.ENUM]: [0, 2],
  [KIND.FWD]: [0, 0],
  [KIND.TYPEDEF]: [0, 0],
  [KIND.VOLATILE]: [0, 0],
  [KIND.CONST]: [0, 0],
  [KIND.RESTRICT]: [0, 0],
  [KIND.FUNC]: [0, 0],
  [KIND.FUNC_PROTO]: [0, 2],
  [KIND.VAR]: [1, 0],
  [KIND.DATASEC]: [0, 3],
  [KIND.FLOAT]: [0, 0],
  [KIND.DECL_TAG]: [1, 0],
  [KIND.TYPE_TAG]: [0, 0],
  [KIND.ENUM64]: [0, 3],
};

/** Type records name what they are made of by number, so a broken file may go round in circles. */
const DEEPEST = 32;
const POINTER_SIZE = 8;

/** Where a member is within a struct, in bytes. */
export type Member = { offset: number; size: number };

type Kind = 'struct' | 'func' | 'typedef' | 'enum';
const KINDS: Readonly<Record<Kind, readonly number[]>> = {
  struct: [KIND.STRUCT],
  func: [KIND.FUNC],
  typedef: [KIND.TYPEDEF],
  enum: [KIND.ENUM],
};

/** Types of a kernel. Only those whose names were asked for when it was made can be found by name. */
export class Btf {
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #strings: number;
  /** Place of each type in `#words`, by its number. */
  readonly #places: Uint32Array;
  /** Numbers of the types with a wanted name. */
  readonly #named = new Map<string, number[]>();

  constructor(bytes: Uint8Array, wanted: readonly string[]) {
    if (bytes.length < HEADER_SIZE) throw new ParseError('BTF', `${bytes.length} bytes are no header`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // struct btf_header
    const magic = view.getUint16(0, true);
    const headerSize = view.getUint32(4, true);
    const types = headerSize + view.getUint32(8, true);
    const typesEnd = types + view.getUint32(12, true);
    const strings = headerSize + view.getUint32(16, true);
    if (magic !== BTF_MAGIC) throw new ParseError('BTF', `magic ${magic.toString(16)} is not eb9f`);
    const outside = typesEnd > bytes.length || strings + view.getUint32(20, true) > bytes.length;
    if (outside || types % 4 !== 0) throw new ParseError('BTF', 'sections lie outside of the file');
    this.#bytes = bytes;
    this.#strings = strings;
    // A copy only where the bytes do not begin at a multiple of four.
    const start = bytes.byteOffset + types;
    const size = (typesEnd - types) & ~3;
    this.#words =
      start % 4 === 0
        ? new Uint32Array(bytes.buffer, start, size / 4)
        : new Uint32Array(bytes.slice(types, types + size).buffer);
    this.#places = this.#walk(new WantedNames(wanted));
  }

  #walk(wanted: WantedNames): Uint32Array {
    const words = this.#words;
    // The smallest type takes three words.
    const places = new Uint32Array(words.length / 3 + 2);
    let id = 1;
    for (let at = 0; at + 3 <= words.length; id++) {
      places[id] = at;
      const info = words[at + 1] ?? 0;
      const trailing = TRAILING[(info >>> 24) & 31];
      if (!trailing) throw new ParseError(`BTF type ${id}`, `kind ${(info >>> 24) & 31} is not known`);
      const name = wanted.at(this.#bytes, this.#strings + (words[at] ?? 0));
      if (name !== undefined) {
        const same = this.#named.get(name);
        if (same) same.push(id);
        else this.#named.set(name, [id]);
      }
      at += 3 + trailing[0] + trailing[1] * (info & 0xffff);
      if (at > words.length) throw new ParseError(`BTF type ${id}`, 'is cut short');
    }
    return places.subarray(0, id);
  }

  /** Number of the first type of a kind with this name. */
  id(kind: Kind, name: string): number | undefined {
    return this.#named.get(name)?.find((id) => KINDS[kind].includes(this.#kind(id)));
  }

  /** A member of a struct by the names that lead to it: `__sk_common.skc_net.net`. Undefined where there is no such. */
  member(struct: string, path: string): Member | undefined {
    for (const id of this.#named.get(struct) ?? []) {
      const found = this.#kind(id) === KIND.STRUCT ? this.#memberOf(id, path.split('.')) : undefined;
      if (found) return found;
    }
    return undefined;
  }

  #memberOf(struct: number, path: string[]): Member | undefined {
    let type = struct;
    let offset = 0;
    for (const name of path) {
      const found = this.#find(type, name, DEEPEST);
      if (!found) return undefined;
      offset += found.offset;
      type = this.#plain(found.type);
    }
    const size = this.#sizeOf(type, DEEPEST);
    return size === undefined ? undefined : { offset, size };
  }

  /** Looks into members without a name too. A bit field is not found: nothing here could load it. */
  #find(id: number, name: string, depth: number): { offset: number; type: number } | undefined {
    if (depth === 0) return undefined;
    const kind = this.#kind(id);
    if (kind !== KIND.STRUCT && kind !== KIND.UNION) return undefined;
    const words = this.#words;
    const at = this.#place(id);
    const info = words[at + 1] ?? 0;
    const bitFields = info >>> 31 === 1;
    for (let i = 0; i < (info & 0xffff); i++) {
      const entry = at + 3 + i * 3;
      const type = words[entry + 1] ?? 0;
      const bits = words[entry + 2] ?? 0;
      const offset = (bitFields ? bits & 0xffffff : bits) / 8;
      const nameAt = words[entry] ?? 0;
      if (nameAt === 0) {
        const inner = this.#find(this.#plain(type), name, depth - 1);
        if (inner) return { offset: offset + inner.offset, type: inner.type };
      } else if (this.#isCalled(nameAt, name)) {
        return bitFields && bits >>> 24 !== 0 ? undefined : { offset, type };
      }
    }
    return undefined;
  }

  /** What stands behind typedefs and qualifiers. */
  #plain(id: number): number {
    let plain = id;
    for (let depth = 0; depth < DEEPEST; depth++) {
      const kind = this.#kind(plain);
      const wrapped = (kind >= KIND.TYPEDEF && kind <= KIND.RESTRICT) || kind === KIND.TYPE_TAG;
      if (!wrapped) return plain;
      plain = this.#words[this.#place(plain) + 2] ?? 0;
    }
    throw new ParseError(`BTF type ${id}`, 'is made of itself');
  }

  #sizeOf(id: number, depth: number): number | undefined {
    if (depth === 0) throw new ParseError(`BTF type ${id}`, 'is made of itself');
    const at = this.#place(id);
    const kind = this.#kind(id);
    if (kind === KIND.PTR) return POINTER_SIZE;
    if (kind === KIND.ARRAY) {
      // struct btf_array: type, index_type, nelems
      const one = this.#sizeOf(this.#plain(this.#words[at + 3] ?? 0), depth - 1);
      return one === undefined ? undefined : one * (this.#words[at + 5] ?? 0);
    }
    const sized: readonly number[] = [KIND.INT, KIND.STRUCT, KIND.UNION, KIND.ENUM, KIND.ENUM64, KIND.FLOAT];
    return sized.includes(kind) ? this.#words[at + 2] : undefined;
  }

  /** Value of an enumerator: the kernel's own numbers for what C calls by name. */
  enumerator(name: string, enumName: string): number | undefined {
    for (const id of this.#named.get(enumName) ?? []) {
      if (this.#kind(id) !== KIND.ENUM) continue;
      const at = this.#place(id);
      const count = (this.#words[at + 1] ?? 0) & 0xffff;
      for (let i = 0; i < count; i++) {
        if (this.#isCalled(this.#words[at + 3 + i * 2] ?? 0, name)) return this.#words[at + 4 + i * 2];
      }
    }
    return undefined;
  }

  #place(id: number): number {
    const place = this.#places[id];
    if (place === undefined || id === 0) throw new ParseError(`BTF type ${id}`, 'does not exist');
    return place;
  }

  /** 0 is `void`, which has no record. */
  #kind(id: number): number {
    return id === 0 ? 0 : ((this.#words[this.#place(id) + 1] ?? 0) >>> 24) & 31;
  }

  #isCalled(nameAt: number, name: string): boolean {
    return isTextAt(this.#bytes, this.#strings + nameAt, name);
  }
}

function isTextAt(bytes: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return bytes[at + text.length] === 0;
}

/** A kernel has 150,000 types, nearly all of them with other names: most are told apart by their first letter. */
class WantedNames {
  readonly #byFirst: (readonly string[] | undefined)[] = new Array(256).fill(undefined);

  constructor(names: readonly string[]) {
    for (const name of names) {
      const first = name.charCodeAt(0);
      this.#byFirst[first] = [...(this.#byFirst[first] ?? []), name];
    }
  }

  at(bytes: Uint8Array, at: number): string | undefined {
    return this.#byFirst[bytes[at] ?? 0]?.find((name) => isTextAt(bytes, at, name));
  }
}
