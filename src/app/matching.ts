import { attempt } from '../kernel/attempt.ts';
import { type Machine, readText } from '../kernel/machine.ts';
import { UnclosedError } from '../model/errors.ts';
import type { Diagnosis } from '../model/finding.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { parseCgroup } from '../parse/cgroup.ts';
import type { Filter } from './filter.ts';

/**
 * "Nothing stuck" must not be said of a process that does not exist, or that may not be looked at. Asked when a filter by
 * process left nothing over.
 */
export function requireMatch(machine: Machine, filter: Filter, snapshot: Snapshot, unfiltered: () => Diagnosis): void {
  const { command, unit, container } = filter;
  if (command === undefined && unit === undefined && container === undefined) return;
  const denied = snapshot.gaps.find(({ code }) => code === 'FDS_DENIED');
  if (denied && unfiltered().findings.some(({ subject }) => subject.kind === 'unowned')) {
    throw new UnclosedError('FDS_DENIED', `stuck sockets may belong to it, but ${denied.what}`, denied.remedy);
  }
  const matches = (pid: number): boolean =>
    (command === undefined || nameOf(machine, pid)?.startsWith(command) === true) &&
    (unit === undefined || [unit, `${unit}.service`].includes(cgroupOf(machine, pid)?.unit ?? '')) &&
    (container === undefined || isContainer(machine, pid, container));
  if (!machine.processes().some(({ pid }) => matches(pid))) throw nothingMatches(filter);
}

function nothingMatches({ command, unit, container }: Filter): UnclosedError {
  const [what, remedy] =
    command !== undefined
      ? [`-c ${command}`, 'names are those of ps -e -o comm; for a whole command line take its pid: pgrep -f NAME']
      : unit !== undefined
        ? [`--unit ${unit}`, 'units are those of systemctl list-units']
        : [`--container ${container}`, 'give the name or the beginning of the id of a container here, or a pod'];
  return new UnclosedError('NOTHING_MATCHES', `no process matches ${what}`, remedy);
}

const nameOf = (machine: Machine, pid: number): string | undefined =>
  attempt(() => readText(machine, `/proc/${pid}/comm`));

const cgroupOf = (machine: Machine, pid: number): ReturnType<typeof parseCgroup> | undefined =>
  attempt(() => parseCgroup(readText(machine, `/proc/${pid}/cgroup`), `/proc/${pid}/cgroup`));

function isContainer(machine: Machine, pid: number, wanted: string): boolean {
  const container = cgroupOf(machine, pid)?.container;
  if (!container) return false;
  const names = attempt(() => machine.containerNames(container));
  return container.id.startsWith(wanted) || names?.name === wanted || names?.pod?.name === wanted;
}
