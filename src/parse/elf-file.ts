import { ParseError } from '../model/errors.ts';
import { StructReader } from './bytes.ts';

/** Gives `length` bytes of the file from `offset` on; fewer where it ends. */
type Read = (offset: number, length: number) => Uint8Array;

// linux/elf.h
const ELF_MAGIC = 0x464c457f;
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
const EHDR_SIZE = 64;
const PHDR_SIZE = 56;
const SHDR_SIZE = 64;
const SYM_SIZE = 24;
const PT_LOAD = 1;
const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;
const PAGE = 4096n;

/** Node has 150,000 symbols in its table; a broken file could claim any number. */
const MOST_SYMBOLS = 2_000_000;
const MOST_HEADERS = 4096;
const MOST_NAME = 512;
/** Symbols that are read at once. */
const BATCH = 4096;

type Header = {
  type: 'ET_EXEC' | 'ET_DYN';
  phoff: number;
  phnum: number;
  shoff: number;
  shnum: number;
  shstrndx: number;
};
type Section = {
  name: number;
  type: number;
  address: bigint;
  offset: number;
  size: number;
  link: number;
};

function exactly(read: Read, what: string, offset: number, length: number): Uint8Array {
  const bytes = read(offset, length);
  if (bytes.length < length)
    throw new ParseError(what, `needs ${length} bytes at ${offset}, ${bytes.length} are there`);
  return bytes;
}

function offsetOf(value: bigint, what: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ParseError(what, `offset ${value} lies outside of any file`);
  return Number(value);
}

/** Elf64_Ehdr, in the struct's own order. */
function header(read: Read): Header {
  const r = new StructReader('Elf64_Ehdr', exactly(read, 'Elf64_Ehdr', 0, EHDR_SIZE));
  if (r.u32() !== ELF_MAGIC || r.u8() !== ELFCLASS64 || r.u8() !== ELFDATA2LSB)
    throw new ParseError('Elf64_Ehdr', 'no little-endian ELF file of 64 bits');
  r.skip(10); // e_ident
  const type = { 2: 'ET_EXEC', 3: 'ET_DYN' }[r.u16()] as Header['type'] | undefined;
  if (!type) throw new ParseError('Elf64_Ehdr', 'neither an executable nor a library');
  r.skip(14); // e_machine, e_version, e_entry
  const phoff = offsetOf(r.u64(), 'Elf64_Ehdr.e_phoff');
  const shoff = offsetOf(r.u64(), 'Elf64_Ehdr.e_shoff');
  r.skip(8); // e_flags, e_ehsize, e_phentsize
  const phnum = r.u16();
  r.skip(2); // e_shentsize
  return { type, phoff, phnum, shoff, shnum: r.u16(), shstrndx: r.u16() };
}

function sectionsOf(read: Read, { shoff, shnum }: Header): Section[] {
  if (shoff === 0 || shnum === 0 || shnum > MOST_HEADERS) return [];
  const bytes = exactly(read, 'Elf64_Shdr', shoff, shnum * SHDR_SIZE);
  const r = new StructReader('Elf64_Shdr', bytes);
  return Array.from({ length: shnum }, (_, i) => {
    r.at(i * SHDR_SIZE, (i + 1) * SHDR_SIZE);
    const name = r.u32();
    const type = r.u32();
    r.skip(8); // sh_flags
    const address = r.u64();
    const offset = offsetOf(r.u64(), 'Elf64_Shdr.sh_offset');
    const size = offsetOf(r.u64(), 'Elf64_Shdr.sh_size');
    return { name, type, address, offset, size, link: r.u32() };
  });
}

const decoder = new TextDecoder('latin1');

/** The NUL-terminated name at `at` of a table of strings. */
function nameAt(read: Read, strings: Section, at: number): string {
  if (at >= strings.size) return '';
  const bytes = read(strings.offset + at, Math.min(MOST_NAME, strings.size - at));
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** A symbol that has an address, of the dynamic table or the full one, by its name. */
export function elfSymbol(
  read: Read,
  name: string | ((name: string) => boolean),
): { value: bigint; size: bigint } | undefined {
  const matches = typeof name === 'string' ? (other: string) => other === name : name;
  const sections = sectionsOf(read, header(read));
  for (const type of [SHT_DYNSYM, SHT_SYMTAB]) {
    for (const table of sections) {
      const strings = sections[table.link];
      if (table.type !== type || !strings) continue;
      const found = symbolIn(read, table, strings, matches);
      if (found) return found;
    }
  }
  return undefined;
}

function symbolIn(read: Read, table: Section, strings: Section, matches: (name: string) => boolean) {
  const names = namesOf(read, strings);
  const count = Math.min(Math.floor(table.size / SYM_SIZE), MOST_SYMBOLS);
  for (let first = 0; first < count; first += BATCH) {
    const bytes = read(table.offset + first * SYM_SIZE, Math.min(BATCH, count - first) * SYM_SIZE);
    const r = new StructReader('Elf64_Sym', bytes);
    for (let at = 0; at + SYM_SIZE <= bytes.length; at += SYM_SIZE) {
      r.at(at, at + SYM_SIZE);
      const name = r.u32();
      r.skip(2); // st_info, st_other
      const section = r.u16();
      const value = r.u64();
      if (name === 0 || section === 0 || value === 0n) continue; // SHN_UNDEF: it is in another file
      if (matches(names(name))) return { value, size: r.u64() };
    }
  }
  return undefined;
}

/** Names are read in pieces: a table of them can have many megabytes. */
function namesOf(read: Read, strings: Section): (at: number) => string {
  const PIECE = 65_536;
  const pieces = new Map<number, Uint8Array>();
  return (at) => {
    const index = Math.floor(at / PIECE);
    let piece = pieces.get(index);
    if (!piece) {
      const start = index * PIECE;
      if (start >= strings.size) return '';
      piece = read(strings.offset + start, Math.min(PIECE, strings.size - start));
      pieces.set(index, piece);
    }
    const from = at - index * PIECE;
    const end = piece.indexOf(0, from);
    return end < 0 ? nameAt(read, strings, at) : decoder.decode(piece.subarray(from, Math.min(end, from + MOST_NAME)));
  };
}

/** A section by its name. */
export function elfSection(read: Read, name: string): { address: bigint; offset: number; size: number } | undefined {
  const head = header(read);
  const sections = sectionsOf(read, head);
  const strings = sections[head.shstrndx];
  const found = strings && sections.find((section) => nameAt(read, strings, section.name) === name);
  return found && { address: found.address, offset: found.offset, size: found.size };
}

/** How the file is loaded: at its own addresses (ET_EXEC), or anywhere (ET_DYN), the first page of it for `firstAddress`. */
export function elfLoad(read: Read): { type: 'ET_EXEC' | 'ET_DYN'; firstAddress: bigint } {
  const { type, phoff, phnum } = header(read);
  const bytes = exactly(read, 'Elf64_Phdr', phoff, Math.min(phnum, MOST_HEADERS) * PHDR_SIZE);
  const r = new StructReader('Elf64_Phdr', bytes);
  for (let at = 0; at < bytes.length; at += PHDR_SIZE) {
    r.at(at, at + PHDR_SIZE);
    if (r.u32() !== PT_LOAD) continue;
    r.skip(12); // p_flags, p_offset
    const address = r.u64();
    return { type, firstAddress: address - (address % PAGE) };
  }
  throw new ParseError('Elf64_Phdr', 'nothing is loaded');
}
