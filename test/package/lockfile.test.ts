import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

type Entry = {
  resolved?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
};

const LOCK = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'));
const PACKAGES: Record<string, Entry> = LOCK.packages;

test('package-lock.json names no place to download from', () => {
  const addresses = Object.values(PACKAGES).filter(({ resolved }) => resolved?.includes('://'));
  assert.deepEqual(addresses, []);
});

// A registry that lacks a package for another platform makes npm leave it out, and `npm ci` then refuses the file.
test('package-lock.json knows every optional package of every platform', () => {
  const missing = Object.entries(PACKAGES).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !PACKAGES[`node_modules/${name}`] && !PACKAGES[`${path}/node_modules/${name}`],
    ),
  );
  assert.deepEqual(missing, []);
});
