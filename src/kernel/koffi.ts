import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

type Koffi = typeof import('koffi').default;

const require = createRequire(import.meta.url);

/**
 * The foreign function interface. Its own way in looks for the C library's name in the binary of Node.js and wraps what is
 * deprecated, which takes 7 of the 40 ms that a report on an idle machine needs; so its binary for glibc is tried first.
 * Where that does not load, as with musl, its own way finds the right one.
 */
function load(): Koffi {
  const platform = `${process.platform}-${process.arch}`;
  try {
    const folder = join(dirname(require.resolve('koffi')), '..', '@koromix', `koffi-${platform}`);
    return require(join(folder, platform.replace('-', '_'), 'koffi.node')) as Koffi;
  } catch {
    return require('koffi') as Koffi;
  }
}

export const koffi = load();
