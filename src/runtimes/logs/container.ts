import type { Container, Process } from '../../model/process.ts';
import { isPlainId } from '../../parse/cgroup.ts';
import type { LineForm } from '../../parse/log-line.ts';

export type ContainerLog = { path: string; form: LineForm };

/** Where engines keep what a container writes to its standard output and error, on this machine; the likeliest first. */
export function containerLogs({ container, pod }: Pick<Process, 'container' | 'pod'>): ContainerLog[] {
  if (!container || !isPlainId(container.id)) return [];
  return [...ofPod(container, pod), ...ofEngine(container)];
}

function ofEngine({ id }: Container): ContainerLog[] {
  const docker = ['/var/lib/docker', '/var/snap/docker/common/var-lib-docker'].map(
    (root): ContainerLog => ({ path: `${root}/containers/${id}/${id}-json.log`, form: 'docker' }),
  );
  const podman = ['/var/lib/containers/storage', '/run/containers/storage'].map(
    (root): ContainerLog => ({ path: `${root}/overlay-containers/${id}/userdata/ctr.log`, form: 'cri' }),
  );
  return [...docker, ...podman];
}

/** The kubelet's: /var/log/pods/<namespace>_<name>_<uid>/<container>/<attempt>.log; only the first attempts are tried. */
function ofPod({ name }: Container, pod: Process['pod']): ContainerLog[] {
  const { namespace = '', name: podName = '', uid = '' } = pod ?? {};
  if (!name || ![namespace, podName, uid, name].every(isPlainId)) return [];
  const folder = `/var/log/pods/${namespace}_${podName}_${uid}/${name}`;
  return Array.from({ length: 20 }, (_, i): ContainerLog => ({ path: `${folder}/${19 - i}.log`, form: 'cri' }));
}
