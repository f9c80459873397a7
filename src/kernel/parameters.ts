import { readFileSync, writeFileSync } from 'node:fs';
import { SystemError } from '../model/errors.ts';

// /proc/sys shows the network parameters of the namespace that the reading thread is in.

/** `net.ipv4.tcp_fin_timeout` as a path. Names come from a fixed list, and none of them has a dot within a part. */
const pathOf = (name: string): string => `/proc/sys/${name.replaceAll('.', '/')}`;

/** What is there, by name. Several numbers are apart by a tab in the file, and by a space here. */
export function readParameters(names: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (const name of names) {
    try {
      values[name] = readFileSync(pathOf(name), 'latin1').trim().replace(/\s+/g, ' ');
    } catch {
      // not in this kernel, or not in this namespace
    }
  }
  return values;
}

/** Writes one, and gives what the kernel has made of it. */
export function writeParameter(name: string, value: string): string {
  const path = pathOf(name);
  try {
    // Without O_CREAT and O_TRUNC: it is there, or it is an error.
    writeFileSync(path, `${value}\n`, { flag: 'r+' });
  } catch (error) {
    throw new SystemError((error as NodeJS.ErrnoException).code ?? 'EIO', `write ${path}`);
  }
  const written = readParameters([name])[name];
  if (written === undefined) throw new SystemError('EIO', `read ${path}`);
  return written;
}
