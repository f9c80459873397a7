import { openToRead, withOpened } from '../kernel/files.ts';
import { SystemError } from '../model/errors.ts';
import type { ReadAt } from '../parse/elf-file.ts';
import type { Mapping } from '../parse/memory-maps.ts';

/** A file with code that a process has mapped, and where its first byte lies. */
export type Image = { path: string; mapping: Mapping; isExecutable: boolean };

/** The file that holds a runtime: its library, or else the executable. */
export function imageOf(
  maps: readonly Mapping[],
  exe: string | undefined,
  isLibrary: (path: string) => boolean,
): Image | undefined {
  const first = (matches: (path: string) => boolean) =>
    maps.find(({ path, offset }) => path !== undefined && offset === 0 && matches(path));
  const library = first(isLibrary);
  const mapping = library ?? first((path) => path === exe);
  return mapping?.path === undefined ? undefined : { path: mapping.path, mapping, isExecutable: !library };
}

/** Reads from a file that a process has mapped. */
export const withImage = <T>(pid: number, image: Image, use: (read: ReadAt) => T): T =>
  withOpened(openImage(pid, image), image.path, use);

/** The very file that is mapped, also where another has taken its name; or what has its name in the process's own root. */
function openImage(pid: number, { path, mapping, isExecutable }: Image): number {
  const range = `${mapping.start.toString(16)}-${mapping.end.toString(16)}`;
  const others = [`/proc/${pid}/map_files/${range}`, ...(isExecutable ? [`/proc/${pid}/exe`] : [])];
  for (const other of others) {
    try {
      return openToRead(other);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error; // map_files needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE
    }
  }
  return openToRead(`/proc/${pid}/root${path}`);
}
