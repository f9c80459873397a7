import { ParseError } from '../model/errors.ts';
import type { Container, Pod } from '../model/process.ts';
import { isPlainId } from './cgroup.ts';

/** The names that people know a container by. `engine` where the file tells it and the cgroup does not (--cgroup-parent). */
export type ContainerNames = { name?: string; pod?: Pod; engine?: 'docker' };

export type ContainerConfigPath = { path: string; kind: 'docker' | 'containers' | 'oci' };

type Values = Record<string, unknown>;

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ParseError(path, `no JSON: "${text.slice(0, 80)}"`);
  }
}

const values = (value: unknown): Values => (typeof value === 'object' && value !== null ? (value as Values) : {});

/** The first of these keys with a name in it. An image's author writes labels: control characters are not for a screen. */
function nameIn(from: Values, ...keys: string[]): string | undefined {
  for (const key of keys) {
    const value = from[key];
    if (typeof value === 'string' && /^[^\p{Cc}]{1,256}$/u.test(value)) return value;
  }
  return undefined;
}

function names(name: string | undefined, pod: { [K in keyof Pod]?: Pod[K] | undefined }): ContainerNames {
  const known = Object.fromEntries(Object.entries(pod).filter(([, value]) => value !== undefined)) as Pod;
  return { ...(name ? { name } : {}), ...(Object.keys(known).length > 0 ? { pod: known } : {}) };
}

// Labels and annotations of the kubelet (pkg/kubelet/types/labels.go), which Docker and CRI-O keep as they are.
const podFrom = (labels: Values) => ({
  name: nameIn(labels, 'io.kubernetes.pod.name'),
  namespace: nameIn(labels, 'io.kubernetes.pod.namespace'),
  uid: nameIn(labels, 'io.kubernetes.pod.uid'),
});

/** k8s_<container>_<pod>_<namespace>_<uid>_<attempt>: how CRI-O and dockershim name what the kubelet asks for. */
function fromFlatName(flat: string | undefined): ContainerNames {
  const [k8s, name, pod, namespace, uid, attempt, ...more] = flat?.split('_') ?? [];
  if (k8s !== 'k8s' || attempt === undefined || more.length > 0) return names(flat, {});
  return names(name, { name: pod, namespace, uid });
}

/** Docker's config.v2.json. */
export function parseDockerConfig(text: string, path: string): ContainerNames {
  const config = values(parseJson(text, path));
  const labels = values(values(config.Config).Labels);
  const flat = fromFlatName(nameIn(config, 'Name')?.replace(/^\//, ''));
  const name =
    nameIn(labels, 'io.kubernetes.container.name') ?? flat.name ?? nameIn(labels, 'com.docker.compose.service');
  const labelled = names(name, podFrom(labels));
  return labelled.pod ? labelled : { ...flat, ...labelled };
}

/** containers.json of containers/storage, which Podman and CRI-O share: the names of one id. */
export function parseContainersJson(text: string, path: string, id: string): ContainerNames {
  const list = parseJson(text, path);
  if (!Array.isArray(list)) return {};
  const container = values(list.find((entry) => values(entry).id === id));
  const own = fromFlatName(nameIn(values(container.names), '0'));
  if (own.name || typeof container.metadata !== 'string') return own;
  return fromFlatName(nameIn(values(parseJson(container.metadata, `${path} metadata`)), 'name'));
}

/** config.json of an OCI bundle: annotations of containerd's CRI plugin, nerdctl and CRI-O. */
export function parseOciConfig(text: string, path: string): ContainerNames {
  const annotations = values(values(parseJson(text, path)).annotations);
  const kubelet = podFrom(annotations);
  return names(
    nameIn(annotations, 'io.kubernetes.cri.container-name', 'io.kubernetes.container.name', 'nerdctl/name'),
    {
      name: nameIn(annotations, 'io.kubernetes.cri.sandbox-name') ?? kubelet.name,
      namespace: nameIn(annotations, 'io.kubernetes.cri.sandbox-namespace') ?? kubelet.namespace,
      uid: nameIn(annotations, 'io.kubernetes.cri.sandbox-uid') ?? kubelet.uid,
    },
  );
}

const docker = (id: string): ContainerConfigPath[] =>
  ['/var/lib/docker', '/var/snap/docker/common/var-lib-docker'].map((root) => ({
    path: `${root}/containers/${id}/config.v2.json`,
    kind: 'docker',
  }));

// <state>/io.containerd.runtime.v2.task/<namespace>/<id> is the bundle; k3s and MicroK8s have a state folder of their own.
const containerd = (id: string): ContainerConfigPath[] =>
  [
    ['/run/containerd', 'k8s.io'],
    ['/run/containerd', 'default'],
    ['/run/containerd', 'moby'],
    ['/run/k3s/containerd', 'k8s.io'],
    ['/var/snap/microk8s/common/run/containerd', 'k8s.io'],
  ].map(([state, namespace]) => ({
    path: `${state}/io.containerd.runtime.v2.task/${namespace}/${id}/config.json`,
    kind: 'oci',
  }));

// Folders are named after the storage driver (containers-storage.conf(5)), overlay nearly everywhere.
const DRIVERS = ['overlay', 'vfs', 'btrfs', 'zfs'];

const bundles = (id: string): ContainerConfigPath[] =>
  DRIVERS.flatMap((driver) =>
    ['/run/containers/storage', '/var/lib/containers/storage'].map((root) => ({
      path: `${root}/${driver}-containers/${id}/userdata/config.json`,
      kind: 'oci',
    })),
  );

// volatile-containers.json holds those of `podman run --rm`.
const lists: ContainerConfigPath[] = DRIVERS.flatMap((driver) =>
  ['containers.json', 'volatile-containers.json'].map((file) => ({
    path: `/var/lib/containers/storage/${driver}-containers/${file}`,
    kind: 'containers',
  })),
);

const PATHS: Record<Container['engine'], (id: string) => ContainerConfigPath[]> = {
  docker,
  // A bare id under kubepods may be Docker's (cri-dockerd with the cgroupfs driver).
  containerd: (id) => [...containerd(id), ...docker(id)],
  'cri-o': (id) => [...bundles(id), ...lists],
  podman: (id) => [...lists, ...bundles(id)], // Podman's bundle names pods only
  lxc: () => [],
  nspawn: () => [],
  unknown: (id) => [...docker(id), ...containerd(id), ...lists, ...bundles(id)],
};

/** The local files that may name this container, the likeliest first; none when the id could lead elsewhere. */
export const containerConfigPaths = (container: Pick<Container, 'engine' | 'id'>): ContainerConfigPath[] =>
  isPlainId(container.id) ? PATHS[container.engine](container.id) : [];
