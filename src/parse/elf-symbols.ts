import { ParseError } from '../model/errors.ts';
import { StructReader } from './bytes.ts';

/** Reads so many bytes of a file from an offset; fewer at its end. What it gives is not looked at after the next call. */
export type ReadAt = (offset: number, length: number) => Uint8Array;

/**
 * A symbol of an executable or library. With `relocated`, `address` counts from where the file was loaded: in memory it is
 * at (start of its mapping with offset 0) - `firstAddress` + `address`.
 */
export type ElfSymbol = { name: string; address: number; size: number; relocated: boolean; firstAddress: number };

// elf.h
const ELF_MAGIC = 0x464c457f; // "\x7fELF"
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
const ET_EXEC = 2;
const ET_DYN = 3;
const PT_LOAD = 1;
const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;
const SHN_UNDEF = 0;
const EHDR_SIZE = 64;
const PHDR_SIZE = 56;
const SHDR_SIZE = 64;
const SYM_SIZE = 24;

const CHUNK = 1 << 20;
/** A name that occurs more often than this in a table of names is none that tells anything. */
const MOST_NAMES = 1000;

type Header = { relocated: boolean; phoff: number; phnum: number; shoff: number; shnum: number };
type Section = { type: number; offset: number; size: number; link: number };

/**
 * The one symbol with this name, in the full table of symbols or else in the one of the dynamic linker; a compiler may have
 * put `.0` or the like behind the name of a static variable. Undefined when there is none, or there are several, or the
 * file is no 64-bit little-endian ELF. Only tables are read, in pieces: 50 MB of a Node.js of 100 MB.
 */
export function elfSymbol(read: ReadAt, name: string): ElfSymbol | undefined {
  const header = readHeader(read);
  if (!header) return undefined;
  const sections = readSections(read, header);
  for (const wanted of [SHT_SYMTAB, SHT_DYNSYM]) {
    const table = sections.find(({ type }) => type === wanted);
    const strings = table && sections[table.link];
    if (!table || !strings) continue;
    const found = symbolsNamed(read, table, findName(read, strings, name));
    const [first, ...others] = found;
    if (!first) continue;
    if (others.some(({ address }) => address !== first.address)) return undefined;
    return { name, ...first, relocated: header.relocated, firstAddress: firstAddress(read, header) };
  }
  return undefined;
}

/** Elf64_Ehdr, in the struct's own order. */
function readHeader(read: ReadAt): Header | undefined {
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
  r.skip(4 + 2); // e_flags, e_ehsize
  const phentsize = r.u16();
  const phnum = r.u16();
  const shentsize = r.u16();
  const shnum = r.u16();
  if (phentsize !== PHDR_SIZE || shentsize !== SHDR_SIZE) return undefined;
  return { relocated: type === ET_DYN, phoff, phnum, shoff, shnum };
}

/** An offset or address: below 2^53 in every file that can be read. */
function offsetIn(r: StructReader): number {
  const value = r.u64();
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ParseError(r.struct, `${value} lies in no file`);
  return Number(value);
}

function readWhole(read: ReadAt, struct: string, offset: number, length: number): StructReader {
  const bytes = read(offset, length);
  if (bytes.byteLength < length) throw new ParseError(struct, `${length} bytes at ${offset}, the file ends before`);
  return new StructReader(struct, bytes);
}

function readSections(read: ReadAt, { shoff, shnum }: Header): Section[] {
  if (shoff === 0) return [];
  const r = readWhole(read, 'Elf64_Shdr', shoff, shnum * SHDR_SIZE);
  return Array.from({ length: shnum }, (_, index) => {
    r.at(index * SHDR_SIZE, (index + 1) * SHDR_SIZE);
    r.skip(4); // sh_name
    const type = r.u32();
    r.skip(8 + 8); // sh_flags, sh_addr
    return { type, offset: offsetIn(r), size: offsetIn(r), link: r.u32() };
  });
}

/** The address that belongs to the start of the file. */
function firstAddress(read: ReadAt, { phoff, phnum }: Header): number {
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

/** Offsets in a table of names at which this one stands; it may be the end of a longer one, which linkers share. */
function findName(read: ReadAt, { offset, size }: Section, name: string): Set<number> {
  const wanted = Uint8Array.from(name, (letter) => letter.charCodeAt(0));
  const found = new Set<number>();
  const step = CHUNK - wanted.length;
  for (let start = 0; start < size && found.size < MOST_NAMES; start += step) {
    const bytes = read(offset + start, Math.min(CHUNK, size - start));
    if (bytes.byteLength === 0) break;
    const end = Math.min(step, bytes.byteLength - wanted.length);
    for (let at = nextMatch(bytes, wanted, 0); at >= 0 && at < end; at = nextMatch(bytes, wanted, at + 1)) {
      const after = bytes[at + wanted.length];
      if (after === 0 || after === 0x2e) found.add(start + at); // "."
      if (found.size >= MOST_NAMES) break;
    }
  }
  return found;
}

function nextMatch(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  const [first = 0] = wanted;
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
    let same = 1;
    while (same < wanted.length && bytes[at + same] === wanted[same]) same++;
    if (same === wanted.length) return at;
  }
  return -1;
}

/** Elf64_Sym: st_name 4, st_info 1, st_other 1, st_shndx 2, st_value 8, st_size 8. Half a million of them in Node.js. */
function symbolsNamed(
  read: ReadAt,
  { offset, size }: Section,
  names: Set<number>,
): { address: number; size: number }[] {
  const found: { address: number; size: number }[] = [];
  if (names.size === 0) return found;
  const step = CHUNK - (CHUNK % SYM_SIZE);
  for (let start = 0; start < size; start += step) {
    const bytes = read(offset + start, Math.min(step, size - start));
    if (bytes.byteLength < SYM_SIZE) break;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + SYM_SIZE <= bytes.byteLength; at += SYM_SIZE) {
      if (!names.has(view.getUint32(at, true)) || view.getUint16(at + 6, true) === SHN_UNDEF) continue;
      const r = new StructReader('Elf64_Sym', bytes).at(at + 8, at + SYM_SIZE);
      found.push({ address: offsetIn(r), size: offsetIn(r) });
      if (found.length >= MOST_NAMES) return found;
    }
  }
  return found;
}
