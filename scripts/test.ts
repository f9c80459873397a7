// Runs the tests: all but the live ones side by side, then those that look at the whole machine one after the other.
// Arguments that name files choose them; the others are handed to `node --test`.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const LIVE = 'test/live/';

const args = process.argv.slice(2);
const options = args.filter((arg) => arg.startsWith('-'));
const named = args.filter((arg) => !arg.startsWith('-')).map((file) => relative(root, resolve(file)));
const files = named.length > 0 ? named : testFiles();

function testFiles(): string[] {
  return readdirSync(`${root}test`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `test/${name}`)
    .sort();
}

function run(chosen: string[], concurrency: number): boolean {
  if (chosen.length === 0) return true;
  const env = { ...process.env, PATH: `${root}node_modules/.bin${delimiter}${process.env.PATH}` };
  const { status, error } = spawnSync(
    process.execPath,
    ['--test', '--test-reporter=spec', `--test-concurrency=${concurrency}`, ...options, ...chosen],
    { cwd: root, env, stdio: 'inherit' },
  );
  if (error) throw error;
  return status === 0;
}

const isLive = (file: string): boolean => file.startsWith(LIVE);
const passed = [
  run(
    files.filter((file) => !isLive(file)),
    Math.max(2, availableParallelism()),
  ),
  run(files.filter(isLive), 1),
];
process.exitCode = passed.every(Boolean) ? 0 : 1;
