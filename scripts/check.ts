// Everything that must hold before a change goes in; the same in CI. Stops at the first failure.
//   npm run check            all steps
//   npm run check -- types   one step
import { spawnSync } from 'node:child_process';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';

const STEPS: Record<string, string[]> = {
  lint: ['biome', 'check'],
  types: ['node', 'node_modules/typescript-7/bin/tsc', '-p', 'tsconfig.json'],
  imports: ['depcruise', 'src', '--config', '.dependency-cruiser.mjs'],
  unused: ['knip'],
  tests: ['node', 'scripts/test.ts'],
};

const root = fileURLToPath(new URL('..', import.meta.url));
const env = { ...process.env, PATH: `${root}node_modules/.bin${delimiter}${process.env.PATH}` };

function chosenSteps([name, ...more]: string[]): [string, string[]][] {
  if (name === undefined) return Object.entries(STEPS);
  const step = STEPS[name];
  if (step && more.length === 0) return [[name, step]];
  console.error(`one step at most, of: ${Object.keys(STEPS).join(', ')}`);
  process.exit(2);
}

for (const [name, [command = '', ...args]] of chosenSteps(process.argv.slice(2))) {
  console.log(`\n== ${name}: ${[command, ...args].join(' ')}`);
  const began = Date.now();
  const { status, signal, error } = spawnSync(command, args, { cwd: root, env, stdio: 'inherit' });
  if (error || status !== 0) {
    console.error(`\nfailed: ${name} (${error?.message ?? signal ?? `exit code ${status}`})`);
    console.error(`again:  npm run check -- ${name}    or: npx ${[command, ...args].join(' ')}`);
    process.exit(1);
  }
  console.log(`== ${name}: good, ${((Date.now() - began) / 1000).toFixed(1)} s`);
}
