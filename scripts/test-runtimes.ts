// Installs other versions of Node.js for the live tests, outside of the checkout, and prints their folder:
//   UNCLOSED_TEST_RUNTIMES=$(node scripts/test-runtimes.ts) npm test
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const VERSIONS = [20, 22, 26];

const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'unclosed-test-runtimes');

for (const version of VERSIONS) {
  const prefix = join(folder, `node-${version}`);
  if (existsSync(join(prefix, 'node_modules', '.bin', 'node'))) continue;
  mkdirSync(prefix, { recursive: true });
  const options = ['--prefix', prefix, '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', ['install', ...options, `node-linux-${process.arch}@${version}`], {
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) process.exit(status ?? 1);
}
console.log(folder);
