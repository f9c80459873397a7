// Makes dist/: the library as single modules with their types, and the command line bundled into a few files, which
// saves half of what a report on an idle machine needs beyond the start of Node.js itself.
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Plugin, rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = `${root}dist`;
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };

/** src/app/version.ts finds package.json from where it lies; in a bundle it lies elsewhere. */
const fixedVersion: Plugin = {
  name: 'fixed-version',
  load: (id) => (id === `${root}src/app/version.ts` ? `export const VERSION = ${JSON.stringify(version)};` : null),
};

function compile(): void {
  const tsc = `${root}node_modules/typescript-7/bin/tsc`;
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/**
 * What every report loads, with all that these import, is one file: each further one takes half a millisecond at every start. The
 * place of the cache of compiled code comes first, as that file is to be read from it.
 */
const OF_A_REPORT = [
  'faces/start',
  'faces/report',
  'kernel/fast',
  'kernel/bpf/held-source',
  'app/look-at',
  'render/report',
];
const GROUPS = [
  { name: 'cache-directory', test: /\/src\/kernel\/cache-directory\.ts$/, priority: 2 },
  { name: 'report', test: new RegExp(`/src/(${OF_A_REPORT.join('|')})\\.ts$`), priority: 1 },
];

async function bundle(): Promise<void> {
  const build = await rolldown({
    cwd: root,
    input: { bin: 'src/bin.ts' },
    platform: 'node',
    external: ['koffi'],
    plugins: [fixedVersion],
    checks: { ineffectiveDynamicImport: false }, // that file has both sides of some
  });
  // CommonJS, because the loader of ECMAScript modules takes 10 ms at every start.
  await build.write({
    dir: dist,
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: 'cli/[name].cjs',
    codeSplitting: { groups: GROUPS },
  });
  await build.close();
  chmodSync(`${dist}/bin.cjs`, 0o755);
}

rmSync(dist, { recursive: true, force: true });
compile();
// No part of the library, and in the bundle already.
for (const name of ['faces', 'render', 'bin.js', 'bin.d.ts']) rmSync(`${dist}/${name}`, { recursive: true });
await bundle();
