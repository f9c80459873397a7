import { withFile } from '../../kernel/files.ts';
import { ParseError } from '../../model/errors.ts';
import { type ElfSection, namedSections, type ReadAt } from '../../parse/elf-file.ts';
import { type GoBuild, parseBuildInfo } from '../../parse/go/build-info.ts';

/** What the executable of a Go program says. `hasPprof` is absent where it cannot be told. */
export type GoBinary = { build?: GoBuild; hasPprof?: boolean };

/** Names of functions are searched in so many bytes. */
const MOST_SEARCHED = 128 << 20;
const PIECE = 4 << 20;
/** More would be no list of modules. */
const MOST_INFO = 1 << 20;
/** It serves the profiles, and is in every program that links net/http/pprof. */
const HANDLER = 'net/http/pprof.Index';

// Sections of names of functions: cmd/link/internal/ld/pcln.go; the second in position-independent programs.
const FUNCTION_TABLES = ['.gopclntab', '.data.rel.ro.gopclntab'];

/** Reads the executable that a process runs, which is there even when its file was replaced. */
export function readGoBinary(pid: number): GoBinary {
  try {
    return withFile(`/proc/${pid}/exe`, (read) => {
      const sections = namedSections(read);
      const build = buildOf(read, sections);
      const table = FUNCTION_TABLES.map((name) => sections.get(name)).find((it) => it !== undefined);
      const hasPprof = table && contains(read, table, HANDLER);
      return { ...(build && { build }), ...(hasPprof !== undefined && { hasPprof }) };
    });
  } catch (error) {
    if (error instanceof ParseError) return {};
    throw error;
  }
}

function buildOf(read: ReadAt, sections: ReadonlyMap<string, ElfSection>): GoBuild | undefined {
  const info = sections.get('.go.buildinfo');
  if (!info) return undefined;
  const at = (address: bigint, length: number): Uint8Array | undefined => {
    const wanted = Number(address);
    const inside = [...sections.values()].find(
      (it) => it.address > 0 && wanted >= it.address && wanted < it.address + it.size,
    );
    return inside && read(inside.offset + wanted - inside.address, length);
  };
  return parseBuildInfo(read(info.offset, Math.min(info.size, MOST_INFO)), at);
}

/** Whether a text is in a section; undefined where the section is too large to say no. */
function contains(read: ReadAt, { offset, size }: ElfSection, text: string): boolean | undefined {
  const searched = Math.min(size, MOST_SEARCHED);
  for (let at = 0; at < searched; at += PIECE) {
    // Pieces overlap, so that a text on their border is found.
    const bytes = read(offset + at, Math.min(PIECE + text.length, searched - at));
    if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(text)) return true;
  }
  return size > searched ? undefined : false;
}
