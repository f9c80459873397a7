import { ParseError } from '../model/errors.ts';
import { StructReader } from './bytes.ts';

/** What the file header of a 64-bit little-endian ELF says of its section headers. */
export type SectionTable = { offset: number; count: number; names: number };

export type Section = { name: string; address: bigint; offset: number; size: number };

const ELF_MAGIC = 0x464c457f; // "\x7fELF"
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
/** Elf64_Shdr. */
export const SECTION_HEADER_SIZE = 64;
export const FILE_HEADER_SIZE = 64;
const MOST_SECTIONS = 4096;

/** Elf64_Ehdr (linux/elf.h), in the struct's own order. Undefined for another class or order of bytes, or without sections. */
export function parseSectionTable(head: Uint8Array): SectionTable | undefined {
  const r = new StructReader('Elf64_Ehdr', head);
  if (r.u32() !== ELF_MAGIC) throw new ParseError('Elf64_Ehdr', 'no ELF file');
  if (r.u8() !== ELFCLASS64 || r.u8() !== ELFDATA2LSB) return undefined;
  r.skip(10 + 2 + 2 + 4 + 8 + 8); // rest of e_ident, e_type, e_machine, e_version, e_entry, e_phoff
  const offset = Number(r.u64());
  r.skip(4 + 2 + 2 + 2); // e_flags, e_ehsize, e_phentsize, e_phnum
  const size = r.u16();
  const count = r.u16();
  const names = r.u16();
  if (offset === 0 || size !== SECTION_HEADER_SIZE || count === 0 || count > MOST_SECTIONS) return undefined;
  return { offset, count, names };
}

type Header = Omit<Section, 'name'> & { nameAt: number };

/** The headers of all sections, and where in the file their names are. */
export function parseSectionHeaders(
  bytes: Uint8Array,
  { count, names }: SectionTable,
): { headers: Header[]; names: Header | undefined } {
  const r = new StructReader('Elf64_Shdr', bytes);
  const headers: Header[] = [];
  for (let i = 0; i < count; i++) {
    r.at(i * SECTION_HEADER_SIZE, (i + 1) * SECTION_HEADER_SIZE);
    const nameAt = r.u32();
    r.skip(4 + 8); // sh_type, sh_flags
    headers.push({ nameAt, address: r.u64(), offset: Number(r.u64()), size: Number(r.u64()) });
  }
  return { headers, names: headers[names] };
}

const LONGEST_NAME = 64;

export function nameSections(headers: readonly Header[], names: Uint8Array): Section[] {
  return headers.map(({ nameAt, ...rest }) => {
    const bytes = names.subarray(nameAt, nameAt + LONGEST_NAME);
    const end = bytes.indexOf(0);
    return { name: String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end)), ...rest };
  });
}
