import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * A folder with its parents, one by one, all of them for this user alone: the recursive mkdir of Node.js does not end
 * where the kernel makes no folders (/proc).
 */
export function makeFolder(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(directory) === directory) throw error;
    makeFolder(dirname(directory));
    mkdirSync(directory, { mode: 0o700 });
  }
}
