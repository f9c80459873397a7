#!/usr/bin/env node
// The first and last line of every run: older versions of Node.js must get this far and be told.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `unclosed: needs Node.js 22.18 or newer, this is ${process.versions.node} [USAGE]\n  install a newer Node.js\n`,
  );
  process.exitCode = 2;
} else {
  const { main } = await import('./faces/cli.ts');
  process.exitCode = await main(process.argv.slice(2), process, process.env);
}
