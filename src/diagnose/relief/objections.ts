import type { Finding } from '../../model/finding.ts';
import type { Container, Pod } from '../../model/process.ts';
import { type Circumstances, type Decision, type ReliefAction, SOCKET_ACTIONS } from '../../model/relief.ts';
import { isTold, raisedLimit, usesSelect } from './means.ts';

const no = (why: string, ...instead: string[]): Decision => ({ kind: 'refused', why, instead });

/** Why an action must not be done, or cannot help; undefined when nothing speaks against it. */
export function objectionTo(
  action: ReliefAction,
  finding: Finding,
  circumstances: Circumstances,
): Decision | undefined {
  const { process } = finding.subject;
  if (!process) return no('no process is known that holds them', 'run it as root, on the host');
  if (process.pid === 1) return no('pid 1 keeps the machine, or the container, alive');
  if (circumstances.ours.has(process.pid))
    return no('unclosed runs below this process, and would cut off its own branch', 'run it from another session');
  return SOCKET_ACTIONS.has(action)
    ? objectionToEnding(action, finding, circumstances)
    : OBJECTIONS[action as keyof typeof OBJECTIONS](finding, circumstances);
}

function objectionToEnding(
  action: ReliefAction,
  finding: Finding,
  { socketsOnly }: Circumstances,
): Decision | undefined {
  const { cause, subject } = finding;
  if (subject.kind === 'backlog')
    return no(
      'nobody has accepted these connections: no descriptor to act on, and ending one leaves its place in the accept queue taken',
    );
  if (subject.kind === 'closed')
    return no(
      'these connections have ended already: only their descriptors are left, and only the program closes those',
    );
  if (cause === 'half-close') return no('data still flows to the peer: ending it would cut a transfer that is legal');
  if (cause === 'churn') return no('these connections are young: the program closes them by itself');
  if (socketsOnly || (isTold(finding) && action !== 'keepalive')) return undefined;
  return no(
    'no thread and no event loop waits on these sockets: the program would not notice, and keep every descriptor',
    `--action ${action} --sockets-only, if freeing the peers and ports alone is what you want`,
  );
}

function unpause({ engine, id }: Container): string {
  const short = id.slice(0, 12);
  if (engine === 'docker' || engine === 'podman') return `${engine} unpause ${short}`;
  if (engine === 'containerd') return `ctr --namespace k8s.io tasks resume ${id}, or nerdctl unpause ${short}`;
  return engine === 'lxc' ? `lxc-unfreeze -n ${id}` : 'let it run on by the tool that has paused it';
}

/** Another one takes its place. */
export const deletePod = ({ name = 'NAME', namespace }: Pod): string =>
  `kubectl delete pod ${name}${namespace === undefined ? '' : ` --namespace ${namespace}`}`;

const OBJECTIONS: Record<
  Exclude<ReliefAction, 'keepalive' | 'shutdown' | 'destroy'>,
  (finding: Finding, circumstances: Circumstances) => Decision | undefined
> = {
  'raise-fd-limit': (finding, circumstances) => {
    const { fdLimit, fdHardLimit } = finding.subject.process ?? {};
    if (usesSelect(finding))
      return no('a thread waits in select(), which overwrites memory with descriptors above 1023 (FD_SETSIZE)');
    if (raisedLimit(finding, circumstances)) return undefined;
    return no(
      fdLimit === undefined
        ? 'its limit could not be read'
        : `its limit (${fdLimit}) cannot be raised as asked: the hard limit is ${fdHardLimit ?? 'not known'}, fs.nr_open ${circumstances.mostFds ?? 'not known'}`,
      circumstances.mayRaiseAny
        ? 'raise fs.nr_open: unclosed tune'
        : 'root with CAP_SYS_RESOURCE may go above the hard limit, and change that of other users',
    );
  },
  resume: ({ subject: { process } }) =>
    process?.state === 'stopped' ? undefined : no(`the process is not stopped (it is ${process?.state ?? 'gone'})`),
  thaw: ({ subject: { process } }) => {
    if (!process?.frozen) return no('the process is not frozen');
    const { container } = process;
    return container && no('its container engine has frozen it, and must know', unpause(container));
  },
  'restart-unit': ({ subject: { process } }, { ownUnit }) => {
    const { unit, container } = process ?? {};
    // Podman's containers are started by units too (Quadlet): systemd is asked whether this is one of its own.
    if (container && !(container.engine === 'podman' && unit !== undefined))
      return no('it is in a container, whose units this machine does not know', '--action restart-container');
    if (!unit?.endsWith('.service') || unit.startsWith('user@'))
      return no(`it is in no service of systemd (${unit ?? 'no unit'})`, '--action terminate');
    return unit === ownUnit ? no('unclosed runs in this unit itself', 'run it from another session') : undefined;
  },
  'restart-container': ({ subject: { process } }, { ownContainer }) => {
    const { container, pod } = process ?? {};
    if (!container) return no('it is in no container');
    if (container.id === ownContainer) return no('unclosed runs in this container itself', 'run it on the host');
    if (pod) return no('Kubernetes runs this container, and would start another one beside it', deletePod(pod));
    // Docker restarts a paused container, and Podman does not.
    if (container.engine === 'podman' && process?.frozen)
      return no('Podman restarts no paused container', `podman unpause ${container.id.slice(0, 12)}`);
    if (container.engine === 'docker' || container.engine === 'podman') return undefined;
    return no(
      `only Docker and Podman can be asked to restart a container (this is ${container.engine})`,
      pod ? deletePod(pod) : 'restart it with the tool that has started it',
    );
  },
  terminate: ({ subject: { process } }) =>
    process?.frozen || process?.state === 'stopped' || process?.state === 'traced'
      ? no('it does not run, so it cannot end in an orderly way', process.frozen ? '--action thaw' : '--action resume')
      : undefined,
};
