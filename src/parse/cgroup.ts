import { ParseError } from '../model/errors.ts';
import type { Container } from '../model/process.ts';

/**
 * `unit` is the unit that systemctl knows: inside of a container that runs systemd, the container's own.
 * `path` is the line on which the answer rests.
 */
export type Cgroup = { unit?: string; container?: Container; podUid?: string; path?: string };

type Engine = Container['engine'];
type Found = { index: number; container: Container };

// <prefix>-<id>.scope is what the runtimes ask of systemd; <slice>:<prefix>:<id> is that same request used as a
// folder by a runtime that was not told to use systemd. Prefixes such as crio-conmon- are followed by no hex digits.
const PREFIXED =
  /^(?:.*:)?(docker|cri-containerd|nerdctl|crio|libpod|libpod-payload)[-:]([0-9a-f]{12,64})(?:\.scope)?$/;
const PREFIX_ENGINES = new Map<string, Engine>([
  ['docker', 'docker'],
  ['cri-containerd', 'containerd'],
  ['nerdctl', 'containerd'],
  ['crio', 'cri-o'],
  ['libpod', 'podman'],
  ['libpod-payload', 'podman'],
]);

// The second form is that of AWS Fargate: /ecs/<task>/<task>-<number>.
const BARE_ID = /^(?:[0-9a-f]{64}|[0-9a-f]{32}-[0-9]{8,10})$/;

// Who makes folders for containers under these names. Under kubepods a bare id is containerd's since Docker left (1.24).
const FOLDER_ENGINES: [RegExp, Engine][] = [
  [/^(?:docker|ecs|actions_job)$/, 'docker'],
  [/^(?:k8s\.io|default)$|kubepods/, 'containerd'],
  [/^(?:libpod_parent|podman-[0-9]+\.scope)$/, 'podman'],
];

/** Whether an id or name from a cgroup path, which a container can influence, may become part of a file's path. */
export const isPlainId = (id: string): boolean => /^[0-9a-zA-Z][0-9a-zA-Z_.-]{0,254}$/.test(id) && !id.includes('..');

// systemd writes bytes that a unit's name cannot hold as \xNN (systemd.unit(5), string escaping).
const unescapeUnit = (text: string): string =>
  text.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

function bareIdEngine(folders: string[]): Engine {
  for (const folder of folders.toReversed()) {
    const engine = FOLDER_ENGINES.find(([pattern]) => pattern.test(folder))?.[1];
    if (engine) return engine;
  }
  return 'unknown';
}

/** Containers that are known by a name of their own: LXC, machines of systemd, and tasks that `ctr run` started. */
function namedContainer(segment: string, folders: string[]): Container | undefined {
  const parent = folders.at(-1);
  if (parent === 'lxc' || parent === 'lxc.payload') return { engine: 'lxc', id: segment };
  if ((parent === 'default' || parent === 'k8s.io') && folders.length === 1)
    return { engine: 'containerd', id: segment };
  const lxc = /^lxc\.payload\.(.+?)(?:\.scope)?$/.exec(segment)?.[1];
  if (lxc) return { engine: 'lxc', id: lxc };
  const escaped = /^machine-(.+)\.scope$/.exec(segment)?.[1] ?? /^systemd-nspawn@(.+)\.service$/.exec(segment)?.[1];
  const machine = escaped && unescapeUnit(escaped);
  if (!machine || machine.startsWith('qemu-')) return undefined; // libvirt's virtual machines: the holder is QEMU
  const libvirtLxc = /^lxc-[0-9]+-(.+)$/.exec(machine)?.[1];
  return libvirtLxc ? { engine: 'lxc', id: libvirtLxc } : { engine: 'nspawn', id: machine };
}

function containerAt(segments: string[], index: number): Container | undefined {
  const segment = segments[index] ?? '';
  const folders = segments.slice(0, index);
  const [, prefix, id] = PREFIXED.exec(segment) ?? [];
  const engine = prefix && PREFIX_ENGINES.get(prefix);
  if (engine && id) return { engine, id };
  if (BARE_ID.test(segment)) return { engine: bareIdEngine(folders), id: segment };
  const named = namedContainer(segment, folders);
  return named && isPlainId(named.id) ? named : undefined;
}

/** The innermost, for containers hold containers: kind, Docker in Docker, Docker in LXC. */
function findContainer(segments: string[]): Found | undefined {
  for (let index = segments.length - 1; index >= 0; index--) {
    const container = containerAt(segments, index);
    if (container) return { index, container };
  }
  return undefined;
}

// kubelet, pkg/kubelet/cm: the systemd driver writes the uid's dashes as underscores, for a dash nests slices.
function findPodUid(segments: string[]): string | undefined {
  for (const [index, segment] of [...segments.entries()].toReversed()) {
    const inSlice = /kubepods.*-pod([0-9a-zA-Z_]+)\.slice(?::|$)/.exec(segment)?.[1];
    if (inSlice) return inSlice.replaceAll('_', '-');
    const plain = /^pod([0-9a-zA-Z][0-9a-zA-Z-]*)$/.exec(segment)?.[1];
    if (plain && segments.slice(0, index).some((folder) => folder.includes('kubepods'))) return plain;
  }
  return undefined;
}

/** The innermost service, else scope; a user's own systemd and init.scope only when there is nothing else. */
function findUnit(segments: string[]): string | undefined {
  const units = segments
    .map((segment) => segment.replace(/^_/, '')) // cg_escape() of systemd: _cpu.service is cpu.service
    .filter((segment) => /^[a-zA-Z0-9:_.\\@-]+\.(?:service|scope)$/.test(segment))
    .toReversed();
  return (
    units.find((unit) => unit.endsWith('.service') && !unit.startsWith('user@')) ??
    units.find((unit) => unit.endsWith('.scope') && unit !== 'init.scope') ??
    units.find((unit) => unit.endsWith('.service')) ??
    units[0]
  );
}

function unitBeside(segments: string[], { index }: Found): string | undefined {
  const inside = findUnit(segments.slice(index + 1).filter((segment) => segment !== 'init.scope'));
  // `podman run --cgroups=split`, which Quadlet uses: the unit above is the container's own, not an engine's.
  const split = segments[index]?.startsWith('libpod-payload-');
  return inside ?? (split ? findUnit(segments.slice(0, index)) : undefined);
}

// The hierarchy that systemd keeps comes first, then the unified one; of the others any may know the container.
const RANKS = ['name=systemd', '', 'memory'];

/** /proc/PID/cgroup: `id:controllers:path` per hierarchy, only `0::path` with cgroup v2 (cgroups(7)). */
export function parseCgroup(text: string, path: string): Cgroup {
  const hierarchies = text.split('\n').flatMap((line) => {
    if (line === '') return [];
    const [, controllers, name] = /^[0-9]+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || name === undefined) throw new ParseError(path, `no cgroup in "${line}"`);
    const cgroup = name.replace(/ \(deleted\)$/, '');
    const rank = RANKS.indexOf(controllers);
    return [
      {
        cgroup,
        rank: rank < 0 ? RANKS.length : rank,
        segments: cgroup.split('/').filter((segment) => segment !== '' && segment !== '..'),
      },
    ];
  });
  hierarchies.sort((a, b) => a.rank - b.rank);
  for (const { cgroup, segments } of hierarchies) {
    const found = findContainer(segments);
    if (!found) continue;
    const unit = unitBeside(segments, found);
    const podUid = findPodUid(segments.slice(0, found.index + 1));
    return { path: cgroup, container: found.container, ...(unit ? { unit } : {}), ...(podUid ? { podUid } : {}) };
  }
  const withUnit = hierarchies.find(({ segments }) => findUnit(segments));
  const best = withUnit ?? hierarchies.find(({ cgroup }) => cgroup !== '/') ?? hierarchies[0];
  if (!best) return {};
  const unit = findUnit(best.segments);
  const podUid = findPodUid(best.segments);
  return { path: best.cgroup, ...(unit ? { unit } : {}), ...(podUid ? { podUid } : {}) };
}
