import { ParseError } from '../model/errors.ts';
import { StructReader } from './bytes.ts';

// Executables and libraries of 64 bits, little-endian (elf(5), linux/elf.h), read in pieces: they can have 100 MB.

/** Reads so many bytes of a file from an offset; fewer at its end. What it gives is not looked at after the next call. */
export type ReadAt = (offset: number, length: number) => Uint8Array;

const ELF_MAGIC = 0x464c457f; // "\x7fELF"
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
const ET_EXEC = 2;
const ET_DYN = 3;
const PT_LOAD = 1;
const EHDR_SIZE = 64;
const PHDR_SIZE = 56;
const SHDR_SIZE = 64;

/** A broken file could claim any number of headers, and names of any length. */
const MOST_HEADERS = 4096;
const MOST_NAMES = 1 << 20;
const LONGEST_NAME = 64;

/** `relocated`: it is loaded anywhere (ET_DYN), and not at its own addresses (ET_EXEC). */
export type ElfHeader = {
  relocated: boolean;
  phoff: number;
  phnum: number;
  shoff: number;
  shnum: number;
  shstrndx: number;
};

/** `link` is the number of the section with its names, of a table of symbols. */
export type ElfSection = { nameAt: number; type: number; address: number; offset: number; size: number; link: number };

/** Elf64_Ehdr, in the struct's own order; undefined of other files. */
export function elfHeader(read: ReadAt): ElfHeader | undefined {
  const bytes = read(0, EHDR_SIZE);
  if (bytes.byteLength < EHDR_SIZE) return undefined;
  const r = new StructReader('Elf64_Ehdr', bytes);
  if (r.u32() !== ELF_MAGIC || r.u8() !== ELFCLASS64 || r.u8() !== ELFDATA2LSB) return undefined;
  r.skip(10); // rest of e_ident
  const type = r.u16();
  if (type !== ET_EXEC && type !== ET_DYN) return undefined;
  r.skip(2 + 4 + 8); // e_machine, e_version, e_entry
  const phoff = offsetIn(r);
  const shoff = offsetIn(r);
  r.skip(4 + 2 + 2); // e_flags, e_ehsize, e_phentsize
  const phnum = r.u16();
  r.skip(2); // e_shentsize
  return { relocated: type === ET_DYN, phoff, phnum, shoff, shnum: r.u16(), shstrndx: r.u16() };
}

/** An offset or address: below 2^53 in every file that can be read. */
export function offsetIn(r: StructReader): number {
  const value = r.u64();
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ParseError(r.struct, `${value} lies in no file`);
  return Number(value);
}

function readWhole(read: ReadAt, struct: string, offset: number, length: number): StructReader {
  const bytes = read(offset, length);
  if (bytes.byteLength < length) throw new ParseError(struct, `${length} bytes at ${offset}, the file ends before`);
  return new StructReader(struct, bytes);
}

/** Elf64_Shdr of each section. */
export function elfSections(read: ReadAt, { shoff, shnum }: ElfHeader): ElfSection[] {
  if (shoff === 0 || shnum > MOST_HEADERS) return [];
  const r = readWhole(read, 'Elf64_Shdr', shoff, shnum * SHDR_SIZE);
  return Array.from({ length: shnum }, (_, index) => {
    r.at(index * SHDR_SIZE, (index + 1) * SHDR_SIZE);
    const nameAt = r.u32();
    const type = r.u32();
    r.skip(8); // sh_flags
    return { nameAt, type, address: offsetIn(r), offset: offsetIn(r), size: offsetIn(r), link: r.u32() };
  });
}

/** The sections by their names; none of other files. */
export function namedSections(read: ReadAt): Map<string, ElfSection> {
  const header = elfHeader(read);
  const sections = header ? elfSections(read, header) : [];
  const table = header && sections[header.shstrndx];
  if (!table) return new Map();
  const names = read(table.offset, Math.min(table.size, MOST_NAMES)).slice();
  return new Map(sections.map((section) => [nameIn(names, section.nameAt), section]));
}

function nameIn(names: Uint8Array, at: number): string {
  const bytes = names.subarray(at, at + LONGEST_NAME);
  const end = bytes.indexOf(0);
  return String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end));
}

/**
 * What is to be added to the addresses in a file whose first byte was loaded at `start`: 0 where it is loaded at its own
 * addresses, else what lies before `start` by them (p_vaddr less p_offset of the first PT_LOAD in its Elf64_Phdr) is taken away.
 * Undefined for other files.
 */
export function loadBias(read: ReadAt, start: number): number | undefined {
  const header = elfHeader(read);
  if (!header) return undefined;
  return header.relocated ? start - firstAddress(read, header) : 0;
}

function firstAddress(read: ReadAt, { phoff, phnum }: ElfHeader): number {
  if (phnum > MOST_HEADERS) return 0;
  const r = readWhole(read, 'Elf64_Phdr', phoff, phnum * PHDR_SIZE);
  for (let index = 0; index < phnum; index++) {
    r.at(index * PHDR_SIZE, (index + 1) * PHDR_SIZE);
    const type = r.u32();
    r.skip(4); // p_flags
    const offset = offsetIn(r);
    if (type === PT_LOAD) return offsetIn(r) - offset; // p_vaddr
  }
  return 0;
}
