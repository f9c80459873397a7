import { readFileSync } from 'node:fs';
import { SystemError } from '../model/errors.ts';

/** The text of a small file of the kernel, past the `Machine`: for what is done, and not only looked at. */
export function readKernelText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    throw new SystemError((error as NodeJS.ErrnoException).code ?? 'EIO', `read ${path}`);
  }
}
