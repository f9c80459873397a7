import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

type Koffi = typeof import('koffi').default;

const require = createRequire(import.meta.url);
const here = dirname(fileURLToPath(import.meta.url));

/** Where packages of this program are installed, the nearest first; not where variables and home directories point. */
const folders = (): string[] =>
  (require.resolve.paths('koffi') ?? []).filter((folder) => here.startsWith(dirname(folder) + sep));

/** The binary for glibc that belongs to the package, where both lie side by side. */
function loadBinary(): Koffi | undefined {
  const folder = folders().find((it) => existsSync(join(it, 'koffi', 'package.json')));
  if (folder === undefined) return undefined;
  const platform = `${process.platform}-${process.arch}`;
  try {
    const { version } = JSON.parse(readFileSync(join(folder, 'koffi', 'package.json'), 'utf8')) as { version: string };
    const path = join(folder, '@koromix', `koffi-${platform}`, platform.replace('-', '_'), 'koffi.node');
    const binary = require(path) as Koffi;
    return binary.version === version ? binary : undefined;
  } catch {
    return undefined; // not there, or not for this C library
  }
}

/**
 * The foreign function interface. Its own way in looks for the C library's name in the binary of Node.js and wraps what is
 * deprecated, which takes 8 of the 40 ms that a report on an idle machine needs; so its binary for glibc is tried first. Where
 * that does not load, as with musl, its own way finds the right one.
 */
export const koffi = loadBinary() ?? (require('koffi') as Koffi);
