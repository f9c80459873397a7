import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kernelBuildId } from '../../parse/elf.ts';
import { cacheDirectory } from '../cache-directory.ts';
import type { KnownTypes } from './types.ts';

// A few numbers for each kernel, under its build id: they spare 50 ms in every run after the first. Nothing depends on
// the file: without it the kernel's types are read.

/** Counted up when the questions or the answers change their meaning. */
const FORMAT = 1;

type Cache = { format: typeof FORMAT; types: KnownTypes };

function pathOfCache(): string | undefined {
  try {
    const buildId = kernelBuildId(readFileSync('/sys/kernel/notes'));
    const directory = buildId && cacheDirectory();
    return directory && join(directory, `kernel-${buildId}.json`);
  } catch {
    return undefined;
  }
}

export function readTypesCache(): KnownTypes {
  const path = pathOfCache();
  if (path === undefined) return {};
  try {
    const cache: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isCache(cache) ? cache.types : {};
  } catch {
    return {}; // not there, or not whole: it is written again
  }
}

/** Best effort: a folder that is full costs 50 ms, not the report. */
export function writeTypesCache(types: KnownTypes): void {
  const path = pathOfCache();
  if (path === undefined) return;
  try {
    const cache: Cache = { format: FORMAT, types };
    const draft = `${path}.${process.pid}`;
    writeFileSync(draft, JSON.stringify(cache), { mode: 0o600 });
    renameSync(draft, path);
  } catch {
    // the next run reads the kernel's types again
  }
}

function isCache(value: unknown): value is Cache {
  if (typeof value !== 'object' || value === null) return false;
  const { format, types } = value as Partial<Cache>;
  if (format !== FORMAT || typeof types !== 'object' || types === null) return false;
  const isNumber = (it: unknown): boolean => Number.isSafeInteger(it);
  return Object.values(types).every(
    (it) => it === null || isNumber(it) || (Array.isArray(it) && it.length === 2 && it.every(isNumber)),
  );
}
