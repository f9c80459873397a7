import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BIN, type Run, run } from './cli.ts';
import { saidBy, waitFor } from './wait.ts';

// A machine in namespaces of its own, with systemd as pid 1, a cgroup tree of version 2, and empty folders where container
// engines keep what they have. What it does ends with it.

const WORKLOADS = fileURLToPath(new URL('../../workloads/', import.meta.url));

export type OwnMachine = {
  /** Runs a program there. */
  run(program: string, ...args: string[]): Promise<Run>;
  /** The same; throws where it fails. */
  get(program: string, ...args: string[]): Promise<string>;
  unclosed(...args: string[]): Promise<Run>;
  /** A unit of systemd, which is not started. */
  addUnit(name: string, lines: string[]): Promise<void>;
  /** The command line of a workload that goes on without standard input. */
  workload(name: string, ...args: string[]): string;
  /** Root of a container without files of its own; /usr and the workloads are mounted there. */
  tree: string;
  mounts: string[];
  stop(): Promise<void>;
};

// fs.file-max is of the whole machine, and systemd sets it when it starts: so /proc/sys/fs is read-only.
// The engines would load AppArmor profiles, which stay.
const BOOT = `set -e
read outer rest < /proc/self/stat
mount --make-rprivate /
mount -t proc proc /proc
mount --bind /proc/sys/fs /proc/sys/fs
mount -o remount,bind,ro /proc/sys/fs
armor=/sys/module/apparmor/parameters/enabled
[ ! -e $armor ] || mount --bind /dev/null $armor
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for folder in /run /etc/systemd /var/lib "$TREE"; do mount -t tmpfs tmpfs "$folder"; done
mkdir -p /etc/systemd/system /var/lib/containers /var/lib/docker
if [ -d /etc/containers ]; then
  mount -t tmpfs tmpfs /etc/containers
  printf '[storage]\\ndriver = "vfs"\\nrunroot = "/run/containers/storage"\\ngraphroot = "/var/lib/containers/storage"\\n' > /etc/containers/storage.conf
  printf '[engine]\\ncgroup_manager = "cgroupfs"\\nevents_logger = "file"\\n' > /etc/containers/containers.conf
fi
ip link set lo up
cd "$TREE"
mkdir usr etc proc sys dev tmp run var
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$folder"; done
cd /
printf '[Unit]\\nDefaultDependencies=no\\n' > /etc/systemd/system/test.target
echo "OUTER $outer"
exec env -i container=unclosed-test "PATH=$PATH" /lib/systemd/systemd --system --unit=test.target --log-target=console --show-status=no
`;

/** Starts one, and resolves when its systemd answers. */
export async function startMachine(): Promise<OwnMachine> {
  const cgroup = join(cgroup2(), `unclosed-test-${process.pid}`);
  const tree = mkdtempSync(join(tmpdir(), 'unclosed-tree-'));
  mkdirSync(cgroup);
  const child = spawn(
    'sh',
    [
      '-c',
      'echo $$ > "$0/cgroup.procs"; exec setpriv --pdeathsig KILL unshare -p -m -f -C -u -i -n --kill-child sh -c "$1"',
      cgroup,
      BOOT,
    ],
    { env: { ...process.env, TREE: tree }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const stop = async (): Promise<void> => {
    await end(child);
    await removeCgroup(cgroup);
    rmSync(tree, { recursive: true });
  };
  try {
    // Its pid 1 as it is known here: its own /proc is not mounted yet when it says so.
    const outer = await saidBy(child, /^OUTER ([0-9]+)\n/m, 'the machine');
    // A cgroup with processes of its own hands out no controllers, and engines try again for seconds.
    const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
    writeFileSync(join(cgroup2(), own, 'cgroup.procs'), String(child.pid));
    const inside = (...command: string[]): Promise<Run> => run('nsenter', ['-t', outer, '-a', ...command]);
    const get = async (...command: string[]): Promise<string> => {
      const { code, stdout, stderr } = await inside(...command);
      if (code !== 0) throw new Error(`${command.join(' ')}: exit ${code}: ${stderr}${stdout}`);
      return stdout.trim();
    };
    const isUp = async (): Promise<boolean> => (await inside('systemctl', 'is-active', 'test.target')).code === 0;
    await waitFor(isUp, () => 'systemd');
    return {
      run: inside,
      get,
      unclosed: (...args) => inside(process.execPath, BIN, ...args),
      addUnit: async (name, lines) => {
        const text = ['[Unit]', 'DefaultDependencies=no', '[Service]', ...lines].join('\n');
        await get('sh', '-c', 'printf "%s\\n" "$1" > "/etc/systemd/system/$0"; systemctl daemon-reload', name, text);
      },
      workload: (name, ...args) =>
        `sleep infinity | exec python3 ${WORKLOADS}stuck.py ${[name, ...args].join(' ')} --seconds-before 1.5`,
      tree,
      mounts: ['-v', '/usr:/usr:ro', '-v', `${WORKLOADS}:${WORKLOADS}:ro`],
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Where version 2 of the hierarchy is mounted: alone, or beside version 1. */
export function cgroup2(): string {
  const path = / (\S+) cgroup2 /.exec(readFileSync('/proc/self/mounts', 'utf8'))?.[1];
  if (path === undefined) throw new Error('no cgroup2 is mounted');
  return path;
}

async function end(child: ChildProcess): Promise<void> {
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await closed;
}

/** Everything in it ends with its pid 1, in a moment. */
async function removeCgroup(path: string): Promise<void> {
  await waitFor(
    () => /^populated 0$/m.test(readFileSync(join(path, 'cgroup.events'), 'latin1')),
    () => `the end of all processes in ${path}`,
  );
  const inner = readdirSync(path, { recursive: true, withFileTypes: true }).filter((it) => it.isDirectory());
  const folders = inner.map(({ parentPath, name }) => join(parentPath, name));
  for (const folder of [path, ...folders].sort((a, b) => b.length - a.length)) rmdirSync(folder);
}
