import { ParseError } from '../model/errors.ts';
import { StructReader } from './bytes.ts';

const ELF_MAGIC = 0x464c457f; // "\x7fELF"
const ELFCLASS32 = 1;
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
const PT_NOTE = 4;
const PT_PHDR = 6;
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

/** A note: its type, its owner's name without the NUL at the end, and what of its text is there. */
type Note = { type: number; name: string; desc: Uint8Array };

/** ElfN_Nhdr is the same for both classes: namesz, descsz, type, then name and desc each padded to 4 bytes. */
function* notes(bytes: Uint8Array, offset: number, size: number): Generator<Note> {
  const end = Math.min(offset + size, bytes.byteLength);
  const r = new StructReader('ElfN_Nhdr', bytes);
  for (let start = offset; start + 12 <= end; ) {
    r.at(start, end);
    const namesz = r.u32();
    const descsz = r.u32();
    const type = r.u32();
    const name = String.fromCharCode(...r.slice(Math.min(namesz, LONGEST_NAME))).replace(/\0.*$/s, '');
    const desc = start + 12 + align4(namesz);
    yield { type, name, desc: bytes.subarray(desc, Math.min(end, desc + descsz)) };
    start = desc + align4(descsz);
  }
}

/** Owners have short names (GNU, Go, Linux); more would be taken from a broken file. */
const LONGEST_NAME = 16;

const hasGoNote = (head: Uint8Array, { offset, size }: Segment): boolean =>
  [...notes(head, offset, size)].some(({ type, name }) => type === GO_BUILD_ID && name === 'Go');

const NT_GNU_BUILD_ID = 3; // linux/elf.h

/** What tells one build of a kernel from every other, in hex, from /sys/kernel/notes; undefined when it has none. */
export function kernelBuildId(bytes: Uint8Array): string | undefined {
  try {
    const id = [...notes(bytes, 0, bytes.length)].find(({ type, name }) => type === NT_GNU_BUILD_ID && name === 'GNU');
    if (!id || id.desc.length === 0) return undefined;
    return Array.from(id.desc, (byte) => byte.toString(16).padStart(2, '0')).join('');
  } catch (error) {
    if (error instanceof ParseError) return undefined;
    throw error;
  }
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
