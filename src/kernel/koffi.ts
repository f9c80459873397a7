import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

type Koffi = typeof import('koffi').default;

const require = createRequire(import.meta.url);
const platform = `${process.platform}-${process.arch}`;
const BINARY = join('@koromix', `koffi-${platform}`, platform.replace('-', '_'), 'koffi.node');

/**
 * The foreign function interface. Its own way in looks for the C library's name in the binary of Node.js and wraps what is
 * deprecated, which takes 8 of the 40 ms that a report on an idle machine needs; so its binary for glibc is tried first, where
 * packages are installed. Where it is not there or does not load, as with musl, its own way finds the right one.
 */
function load(): Koffi {
  const binary = require.resolve
    .paths('koffi')
    ?.map((folder) => join(folder, BINARY))
    .find((path) => existsSync(path));
  try {
    if (binary !== undefined) return require(binary) as Koffi;
  } catch {
    // not for this C library
  }
  return require('koffi') as Koffi;
}

export const koffi = load();
