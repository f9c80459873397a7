import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Writes fixtures/captures/linux-RELEASE: what ss, netstat, lsof and lsfd of this machine print of the same workloads at
// the same moment, in many mixes of options, and the workloads' own word (truth.json): node scripts/captures.ts
// In network, pid and host-name namespaces of its own, so that nothing of this machine is in it. Needs root.

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const STAGE = 'UNCLOSED_CAPTURES_STAGE';

if (process.env[STAGE] === undefined) {
  const spaces = ['--net', '--pid', '--uts', '--fork', '--mount-proc', '--kill-child'];
  const { status } = spawnSync('unshare', [...spaces, process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [STAGE]: 'inside' },
  });
  process.exit(status ?? 1);
}
spawnSync('hostname', ['db-1']);
spawnSync('ip', ['link', 'set', 'lo', 'up']);

const CASES = [
  ['unread', '--count', '5'],
  ['missing-close', '--count', '3', '--family', 'mapped'],
  ['never-accepted', '--count', '4'],
  ['keepalive', '--count', '3', '--family', '6'],
  ['inherited', '--count', '2'],
  ['closed-but-held', '--count', '2'],
  ['outbound', '--count', '3'],
];

const SS = 'tan tanp tanpi tanpe tanpo tanpieo tanpiemoO tn tnp ta anp tanH tanpH tanpT tlnp s'.split(' ');
const NETSTAT = 'antp nat neopa ton antpW antpe an tlnp'.split(' ');
const LSOF = ['', '-R', '-g', '-Tqs', '-F', '-FpcfnT', '-F0', '-l', '-o'];

const children: ChildProcess[] = [];
try {
  const truths = await Promise.all(CASES.map(start));
  const folder = join(ROOT, 'fixtures/captures', `linux-${/^[0-9]+\.[0-9]+/.exec(release())?.[0]}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'truth.json'), `${JSON.stringify(truths, null, 1)}\n`);
  const pids = truths.flatMap(({ pids }) => pids).join(',');
  const keep = (name: string, text: string): void => writeFileSync(join(folder, `${name}.txt`), text);
  const run = (name: string, [program = '', ...args]: string[]): void => {
    const { stdout } = spawnSync(program, args, { encoding: 'utf8', cwd: '/', timeout: 30_000 });
    keep(name, stdout);
  };
  for (const flags of SS) run(`ss-${flags}`, ['ss', `-${flags}`]);
  run('ss-close-wait', ['ss', '-tanp', 'state', 'close-wait']);
  run('ss-close-wait-i', ['ss', '-Htanpi', 'state', 'close-wait']);
  run('ss-connected', ['ss', '-tanp', 'state', 'connected']);
  for (const flags of NETSTAT) run(`netstat-${flags}`, ['netstat', `-${flags}`]);
  for (const flags of LSOF) run(`lsof${flags}`, ['lsof', '-nP', ...(flags === '' ? [] : [flags]), '-i']);
  run('lsof-names', ['lsof', '-i']);
  run('lsof-close-wait', ['lsof', '-nP', '-iTCP', '-sTCP:CLOSE_WAIT']);
  run('lsof-p', ['lsof', '-nP', '-p', pids]);
  run('lsfd', ['lsfd', '-p', pids]);
  run('lsfd-J', ['lsfd', '-J', '-p', pids, '-Q', 'TYPE == "SOCK"']);
  keep('proc-net-tcp', readFileSync('/proc/net/tcp', 'utf8') + readFileSync('/proc/net/tcp6', 'utf8'));
  console.log(`wrote ${folder}`);
} finally {
  for (const child of children) child.stdin?.end();
}

function start(args: string[]): Promise<{ pids: number[] }> {
  return new Promise((resolve, reject) => {
    // The system's own interpreter, from the root folder: no path of a home is in what lsof prints.
    const child = spawn('/usr/bin/python3', [join(ROOT, 'workloads/stuck.py'), ...args], { cwd: '/', stdio: 'pipe' });
    children.push(child);
    let out = '';
    child.on('close', (code) => reject(new Error(`${args.join(' ')} ended with ${code}`)));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      const line = /^READY (.*)\n/m.exec(out)?.[1];
      if (line !== undefined) resolve(JSON.parse(line));
    });
  });
}
