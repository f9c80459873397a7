import { ParseError } from '../model/errors.ts';
import { StructReader } from './bytes.ts';

const ELF_MAGIC = 0x464c457f; // "\x7fELF"
const ELFCLASS32 = 1;
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
const PT_NOTE = 4;
const PT_PHDR = 6;
const GO_NAME = 0x00006f47; // "Go\0\0"
const GO_BUILD_ID = 4; // ELF_NOTE_GOBUILDID_TAG in Go's cmd/link/internal/ld/elf.go

type Segment = { type: number; offset: number; size: number; align: number };

const align4 = (size: number): number => Math.ceil(size / 4) * 4;

/** ElfN_Ehdr and as many ElfN_Phdr as there are (linux/elf.h), in the structs' own order. */
function segments(head: Uint8Array): Segment[] {
  const r = new StructReader('ElfN_Ehdr', head);
  if (r.u32() !== ELF_MAGIC) return [];
  const elfClass = r.u8();
  if ((elfClass !== ELFCLASS32 && elfClass !== ELFCLASS64) || r.u8() !== ELFDATA2LSB) return [];
  const wide = elfClass === ELFCLASS64;
  const word = () => (wide ? Number(r.u64()) : r.u32());
  r.skip(10 + 2 + 2 + 4); // rest of e_ident, e_type, e_machine, e_version
  word(); // e_entry
  const phoff = word();
  word(); // e_shoff
  r.skip(4 + 2); // e_flags, e_ehsize
  const phentsize = r.u16();
  const phnum = r.u16();
  const size = wide ? 56 : 32;
  const found: Segment[] = [];
  if (phentsize !== size) return found;
  for (let start = phoff; found.length < phnum && start + size <= head.byteLength; start += size) {
    r.at(start, start + size);
    const type = r.u32();
    if (wide) r.skip(4); // p_flags
    const offset = word();
    r.skip(wide ? 16 : 8); // p_vaddr, p_paddr
    const filesz = word();
    r.skip(8); // p_memsz, or p_memsz and p_flags
    found.push({ type, offset, size: filesz, align: word() });
  }
  return found;
}

/** ElfN_Nhdr is the same for both: namesz, descsz, type, then name and desc each padded to 4 bytes. */
function hasGoNote(head: Uint8Array, { offset, size }: Segment): boolean {
  const end = Math.min(offset + size, head.byteLength);
  const r = new StructReader('ElfN_Nhdr', head);
  for (let start = offset; start + 16 <= end; ) {
    r.at(start, end);
    const namesz = r.u32();
    const descsz = r.u32();
    const type = r.u32();
    if (type === GO_BUILD_ID && namesz === 4 && r.u32() === GO_NAME) return true;
    start += 12 + align4(namesz) + align4(descsz);
  }
  return false;
}

/**
 * Whether the first 4096 bytes of an executable are the work of Go's linker: they hold its build id note, or, as
 * -ldflags=-buildid= leaves the note out, a program header table aligned to a page (`pph.Align = FlagRound` in
 * cmd/link/internal/ld/elf.go; GNU ld and lld align it to a word). A cgo program without a build id is not recognized.
 */
export function isGoBinary(head: Uint8Array): boolean {
  try {
    return segments(head).some((segment) =>
      segment.type === PT_PHDR ? segment.align >= 4096 : segment.type === PT_NOTE && hasGoNote(head, segment),
    );
  } catch (error) {
    if (error instanceof ParseError) return false;
    throw error;
  }
}
