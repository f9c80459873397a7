import { StructReader } from './bytes.ts';
import { namedSections, type ReadAt } from './elf-file.ts';

const SYM_SIZE = 24;
/** Tables of large libraries have 50,000 symbols and 2 MB of names. */
const MOST_BYTES = 8 * 1024 * 1024;

/** Which of these functions a 64-bit ELF file takes from others, by its table of dynamic symbols (Elf64_Sym in linux/elf.h). */
export function elfImports(read: ReadAt, functions: ReadonlySet<string>): string[] {
  const sections = namedSections(read);
  const table = sections.get('.dynsym');
  const strings = sections.get('.dynstr');
  if (!table || !strings || table.size > MOST_BYTES || strings.size > MOST_BYTES) return [];
  const symbols = read(table.offset, table.size).slice();
  const names = read(strings.offset, strings.size);
  const found = new Set<string>();
  const r = new StructReader('Elf64_Sym', symbols);
  for (let at = 0; at + SYM_SIZE <= symbols.length; at += SYM_SIZE) {
    r.at(at, at + SYM_SIZE);
    const start = r.u32();
    r.skip(2); // st_info, st_other
    if (r.u16() !== 0) continue; // it has a section, and so is its own
    const end = names.indexOf(0, start);
    if (end < 0 || end - start > LONGEST_NAME) continue;
    const name = String.fromCharCode(...names.subarray(start, end));
    if (functions.has(name)) found.add(name);
  }
  return [...found];
}

const LONGEST_NAME = 40;
