#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// The first and last line of every run: older versions of Node.js must get this far and be told.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `unclosed: needs Node.js 22.18 or newer, this is ${process.versions.node} [USAGE]\n  install a newer Node.js\n`,
  );
  // Of a monitoring check 2 would mean that something is wrong with the machine.
  process.exitCode = process.argv[2] === 'check' ? 3 : 2;
} else {
  // Compiled code of the run before: a report takes 25 ms less of the processor with it.
  import('./kernel/cache-directory.ts')
    .then(({ cacheDirectory }) => {
      const cache = cacheDirectory();
      if (cache !== undefined) enableCompileCache(join(cache, 'code'));
      return import('./faces/start.ts');
    })
    .then(({ start }) => start());
}
