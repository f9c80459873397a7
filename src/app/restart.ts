import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Process } from '../model/process.ts';

// Both give undefined when it was done, and else why not.

/**
 * Names of units are used again by the managers of users and in containers, so systemd is asked first whether the process
 * is in the cgroup of the unit that it would restart.
 */
export async function restartUnit({ pid, unit = '' }: Process): Promise<string | undefined> {
  const asked = await runTool('systemctl', ['show', '--property=ControlGroup', '--value', '--', unit]);
  if ('failed' in asked) return asked.failed;
  const cgroup = asked.output.trim();
  if (!cgroup.startsWith('/') || cgroup === '/' || !isBelow(cgroup, cgroupsOf(pid)))
    return `pid ${pid} is not in the ${unit} that systemd knows (${cgroup || 'it knows none'})`;
  const done = await runTool('systemctl', ['restart', '--', unit]);
  return 'failed' in done ? done.failed : undefined;
}

/** A process can make a cgroup named after any container, so the engine's own process must be in the same one, or above. */
export async function restartContainer({ pid, container }: Process): Promise<string | undefined> {
  const { engine = '', id = '' } = container ?? {};
  const asked = await runTool(engine, ['inspect', '--type', 'container', '--format', '{{.State.Pid}}', id]);
  if ('failed' in asked) return asked.failed;
  const first = Number(asked.output.trim());
  const theirs = first > 1 ? cgroupsOf(first) : [];
  if (!theirs.some((cgroup) => cgroup.includes(id) && isBelow(cgroup, cgroupsOf(pid))))
    return `pid ${pid} is not in the container ${id.slice(0, 12)} that ${engine} knows`;
  const done = await runTool(engine, ['restart', id]);
  return 'failed' in done ? done.failed : undefined;
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

/** As long as a unit may take to stop and to start. */
const TOOL_MS = 200_000;

/** The words of the tool itself are the reason when it fails. */
async function runTool(tool: string, args: string[]): Promise<{ output: string } | { failed: string }> {
  try {
    const { stdout } = await promisify(execFile)(tool, args, { timeout: TOOL_MS });
    return { output: stdout };
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    return { failed: `${tool}: ${(stderr || message).trim().slice(0, 400)}` };
  }
}
