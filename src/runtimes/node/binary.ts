import { withFile } from '../../kernel/files.ts';
import { loadBias } from '../../parse/elf-file.ts';
import { elfSymbol } from '../../parse/elf-symbols.ts';
import type { Mapping } from '../../parse/memory-maps.ts';
import { watchedSignals } from '../../parse/node/signal-tree.ts';
import { VERSION_OVERLAP, versionIn } from '../../parse/node/version.ts';
import { type Image, imageOf, withImage } from '../image.ts';

/** The file with the code of Node.js: the executable, or the library that some distributions have made of it. */
export const nodeImage = (maps: readonly Mapping[], exe: string): Image | undefined =>
  imageOf(maps, exe, (path) => /\/libnode\.so[0-9.]*(?: \(deleted\))?$/.test(path));

const PIECE = 4 << 20;

/** The version of Node.js, from the text of its binary: about 30 ms for 100 MB. */
export function versionOf(pid: number, image: Image): string | undefined {
  return withImage(pid, image, (read) => {
    for (let offset = 0; ; offset += PIECE - VERSION_OVERLAP) {
      const piece = Buffer.from(read(offset, PIECE));
      const at = piece.indexOf('node.js/v');
      const version = at < 0 ? undefined : versionIn(piece.toString('latin1', at));
      if (version !== undefined || piece.length < PIECE) return version;
    }
  });
}

/**
 * The signals that the program has handlers of its own for, from its memory. Undefined when its binary does not tell where
 * libuv keeps them: it was stripped, or libuv is a library of its own.
 */
export function ownSignals(pid: number, image: Image): Set<number> | undefined {
  const root = withImage(pid, image, (read) => {
    const symbol = elfSymbol(read, 'uv__signal_tree');
    const bias = loadBias(read, image.mapping.start);
    return symbol && bias !== undefined ? symbol.address + bias : undefined;
  });
  return root === undefined ? undefined : withFile(`/proc/${pid}/mem`, (read) => watchedSignals(read, root));
}
