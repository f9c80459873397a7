import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Records one workload as a fixture: node scripts/record.ts NAME [--netns] -- CASE [options of workloads/stuck.py]
// or -- PROGRAM.py [its options] for another program of workloads/.
// In pid and network namespaces of its own, so that nothing of this machine is in it but the workload. Needs root.

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const STAGE = 'UNCLOSED_RECORD_STAGE';

const separator = process.argv.indexOf('--');
const [name, ...flags] = process.argv.slice(2, separator);
const workload = process.argv.slice(separator + 1);
if (separator < 0 || name === undefined || workload.length === 0) {
  console.error('usage: node scripts/record.ts NAME [--netns] -- CASE [options of workloads/stuck.py]');
  process.exit(2);
}

if (process.env[STAGE] === undefined) {
  const unshare = [
    '--net',
    '--pid',
    '--fork',
    '--mount-proc',
    '--kill-child',
    process.execPath,
    ...process.argv.slice(1),
  ];
  const { status } = spawnSync('unshare', unshare, {
    stdio: 'inherit',
    cwd: ROOT,
    env: { ...process.env, [STAGE]: 'inside' },
  });
  process.exit(status ?? 1);
}

spawnSync('ip', ['link', 'set', 'lo', 'up']);
spawnSync('umount', ['-R', '/run/netns']); // named namespaces of others; only in this mount namespace
const folder = join(ROOT, 'fixtures/recordings', `${/^[0-9]+\.[0-9]+/.exec(release())?.[0]}-${name}`);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

// --netns: the workload lives in one more network namespace, which the recorder has to enter.
const elsewhere = flags.includes('--netns')
  ? ['unshare', '--net', 'sh', '-c', 'ip link set lo up; exec "$@"', 'sh']
  : [];
const [first = '', ...options] = workload;
const played = first.endsWith('.py') ? [`workloads/${first}`, ...options] : ['workloads/stuck.py', ...workload];
const [program = '', ...args] = [...elsewhere, 'python3', ...played];
const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], cwd: ROOT });
const truth = await ready(child);
const { status } = spawnSync(process.execPath, ['src/bin.ts', 'record', join(folder, 'raw'), '--scrub'], {
  stdio: 'inherit',
  cwd: ROOT,
});
writeFileSync(join(folder, 'truth.json'), `${JSON.stringify(JSON.parse(truth), null, 2)}\n`);
child.stdin?.end();
process.exit(status ?? 1);

function ready(program: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    program.on('close', (code) => reject(new Error(`the workload ended with ${code}`)));
    let text = '';
    program.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const line = /^READY (.*)\n/m.exec(text)?.[1];
      if (line !== undefined) resolve(line);
    });
  });
}
