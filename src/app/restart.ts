import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Process } from '../model/process.ts';
import type { Deed, RestartAction } from '../model/relief.ts';

// Only systemd restarts a unit, and only its engine a container: both are asked, before and after.

export type Objection = { why: string; instead: string[] };

/** Why the manager would not restart this very process; undefined when it would. Changes nothing. */
export const objectionToRestart = (action: RestartAction, process: Process): Promise<Objection | undefined> =>
  action === 'restart-unit' ? objectionOfSystemd(process) : objectionOfEngine(process);

/** Undefined when it was done, and else why not. */
export async function restart(action: RestartAction, process: Process): Promise<string | undefined> {
  const objection = await objectionToRestart(action, process);
  if (objection) return objection.why;
  const { unit = '', container } = process;
  const done = await (action === 'restart-unit'
    ? runTool('systemctl', ['restart', '--', unit], RESTART_MS)
    : runTool(container?.engine ?? '', ['restart', container?.id ?? ''], RESTART_MS));
  return 'failed' in done ? done.failed : undefined;
}

/** What is there now, in the manager's words; undefined when it does not say. */
export const stateAfter = (action: RestartAction, process: Process): Promise<Deed['restarted']> =>
  action === 'restart-unit' ? stateOfUnit(process) : stateOfContainer(process);

/** A program that ends at once is started by systemd again and again, and active in between. */
async function stateOfUnit({ unit = '' }: Process): Promise<Deed['restarted']> {
  const shown = await showUnit(unit, ['ActiveState', 'SubState', 'MainPID', 'NRestarts']);
  const { ActiveState: state, SubState: detail, MainPID: pid, NRestarts: again } = shown;
  if (!state) return undefined;
  const text = !detail || detail === state ? state : `${state} (${detail})`;
  const loops = Number(again) > 0;
  return {
    name: unit,
    runs: state === 'active' && !loops,
    state: loops ? `${text} after ${again} more ${again === '1' ? 'start' : 'starts'}` : text,
    ...pidOf(pid),
  };
}

async function stateOfContainer({ container }: Process): Promise<Deed['restarted']> {
  const { engine = '', id = '', name = id.slice(0, 12) } = container ?? {};
  const asked = await inspectContainer(engine, id, '{{.State.Status}} {{.State.Pid}}');
  if ('failed' in asked) return undefined;
  const [state = '', pid] = asked.output.split(' ');
  return { name, runs: state === 'running', state, ...pidOf(pid) };
}

const pidOf = (text: string | undefined): { pid?: number } => (Number(text) > 0 ? { pid: Number(text) } : {});

/** Names of units are used again by the managers of users and in containers: the process must be in the cgroup of this one. */
async function objectionOfSystemd({ pid, unit = '' }: Process): Promise<Objection | undefined> {
  const shown = await showUnit(unit, ['ControlGroup', 'RefuseManualStop', 'RefuseManualStart']);
  if ('failed' in shown) return { why: shown.failed ?? '', instead: [] };
  const { ControlGroup: cgroup = '' } = shown;
  if (!cgroup.startsWith('/') || cgroup === '/' || !isBelow(cgroup, cgroupsOf(pid)))
    return {
      why: `pid ${pid} is not in the ${unit} that systemd knows (${cgroup || 'it runs none'})`,
      instead: [`restart it where it was started: systemctl --user restart ${unit}, or in its container`],
    };
  const refused = shown.RefuseManualStop === 'yes' || shown.RefuseManualStart === 'yes';
  return refused ? { why: `systemd does not let ${unit} be restarted by hand`, instead: [] } : undefined;
}

/** A process can make a cgroup named after any container, so the engine's own process must be in the same one, or above. */
async function objectionOfEngine({ pid, container }: Process): Promise<Objection | undefined> {
  const { engine = '', id = '' } = container ?? {};
  const asked = await inspectContainer(engine, id, `{{.State.Pid}} {{index .Config.Labels "${PODMAN_UNIT}"}}`);
  if ('failed' in asked)
    return { why: asked.failed, instead: [`${engine} restart ${id.slice(0, 12)}, as the user who started it`] };
  const [first, unit] = asked.output.split(' ');
  const theirs = Number(first) > 1 ? cgroupsOf(Number(first)) : [];
  if (!theirs.some((cgroup) => cgroup.includes(id) && isBelow(cgroup, cgroupsOf(pid))))
    return { why: `pid ${pid} is not in the container ${id.slice(0, 12)} that ${engine} knows`, instead: [] };
  // systemd would take a restart by the engine for an end, and start a second one or none.
  return unit?.endsWith('.service')
    ? { why: `systemd runs this container, as ${unit}`, instead: [`systemctl restart ${unit}`] }
    : undefined;
}

/** podman-systemd.unit(5): the label of a container that a unit has started. */
const PODMAN_UNIT = 'PODMAN_SYSTEMD_UNIT';

const inspectContainer = (engine: string, id: string, format: string): ReturnType<typeof runTool> =>
  runTool(engine, ['inspect', '--type', 'container', '--format', format, id], ASK_MS);

/** `NAME=VALUE` a line. */
async function showUnit(unit: string, properties: string[]): Promise<Record<string, string> & { failed?: string }> {
  const asked = await runTool('systemctl', ['show', `--property=${properties.join(',')}`, '--', unit], ASK_MS);
  if ('failed' in asked) return { failed: asked.failed };
  return Object.fromEntries(
    asked.output.split('\n').map((line) => [line.replace(/=.*/, ''), line.replace(/^.*?=/, '')]),
  );
}

const isBelow = (cgroup: string, paths: string[]): boolean =>
  paths.some((path) => path === cgroup || path.startsWith(`${cgroup}/`));

/** In each hierarchy. */
function cgroupsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'latin1')
      .split('\n')
      .flatMap((line) => /^[0-9]+:[^:]*:(\/.*)$/.exec(line)?.[1] ?? []);
  } catch {
    return []; // it has ended
  }
}

const ASK_MS = 10_000;
/** As long as a unit may take to stop and to start. */
const RESTART_MS = 200_000;

/** The words of the tool itself are the reason when it fails. */
async function runTool(
  tool: string,
  args: string[],
  timeout: number,
): Promise<{ output: string } | { failed: string }> {
  try {
    const { stdout } = await promisify(execFile)(tool, args, { timeout });
    return { output: stdout.trim() };
  } catch (error) {
    const { stderr, message, code, killed } = error as Error & { stderr?: string; code?: unknown; killed?: boolean };
    if (code === 'ENOENT') return { failed: `${tool} is not installed here` };
    if (killed) return { failed: `${tool} ${args[0]} was not through after ${timeout / 1000} s` };
    return { failed: `${tool}: ${(stderr || message).trim().replace(/\s+/g, ' ').slice(0, 400)}` };
  }
}
