import { StructReader } from './bytes.ts';
import { type ElfSection, elfHeader, elfSections, namedSections, offsetIn, type ReadAt } from './elf-file.ts';

/** A symbol of an executable or library, by the addresses of the file: `loadBias` tells where it is in memory. */
export type ElfSymbol = { address: number; size: number };

// linux/elf.h
const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;
const SHN_UNDEF = 0;
const SYM_SIZE = 24;

const CHUNK = 1 << 20;
/** A name that occurs more often than this in a table of names is none that tells anything. */
const MOST_NAMES = 1000;

/**
 * The one symbol with this name, in the full table of symbols or else in the one of the dynamic linker; a compiler may have
 * put `.0` or the like behind the name of a static variable. Undefined when there is none, or there are several, or the
 * file is no 64-bit little-endian ELF. Only tables are read, in pieces: 50 MB of a Node.js of 100 MB.
 */
export function elfSymbol(read: ReadAt, name: string): ElfSymbol | undefined {
  const header = elfHeader(read);
  if (!header) return undefined;
  const sections = elfSections(read, header);
  for (const wanted of [SHT_SYMTAB, SHT_DYNSYM]) {
    const table = sections.find(({ type }) => type === wanted);
    const strings = table && sections[table.link];
    if (!table || !strings) continue;
    const [first, ...others] = symbolsNamed(read, table, findName(read, strings, name));
    if (!first) continue;
    return others.every(({ address }) => address === first.address) ? first : undefined;
  }
  return undefined;
}

/** Offsets in a table of names at which this one stands; it may be the end of a longer one, which linkers share. */
function findName(read: ReadAt, { offset, size }: ElfSection, name: string): Set<number> {
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
function symbolsNamed(read: ReadAt, { offset, size }: ElfSection, names: Set<number>): ElfSymbol[] {
  const found: ElfSymbol[] = [];
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

/** Tables of what large libraries import and export have 50,000 symbols and 2 MB of names. */
const MOST_IMPORT_BYTES = 8 << 20;
/** Functions that are asked for have shorter names. */
const LONGEST_IMPORT = 40;

/** Which of these functions a 64-bit ELF file takes from others, by its table of dynamic symbols. */
export function elfImports(read: ReadAt, functions: ReadonlySet<string>): string[] {
  const sections = namedSections(read);
  const table = sections.get('.dynsym');
  const strings = sections.get('.dynstr');
  if (!table || !strings || table.size > MOST_IMPORT_BYTES || strings.size > MOST_IMPORT_BYTES) return [];
  const symbols = read(table.offset, table.size).slice();
  const names = read(strings.offset, strings.size);
  const found = new Set<string>();
  const r = new StructReader('Elf64_Sym', symbols);
  for (let at = 0; at + SYM_SIZE <= symbols.length; at += SYM_SIZE) {
    r.at(at, at + SYM_SIZE);
    const start = r.u32();
    r.skip(2); // st_info, st_other
    if (r.u16() !== SHN_UNDEF) continue; // it has a section, and so is its own
    const end = names.indexOf(0, start);
    if (end < 0 || end - start > LONGEST_IMPORT) continue;
    const name = String.fromCharCode(...names.subarray(start, end));
    if (functions.has(name)) found.add(name);
  }
  return [...found];
}
