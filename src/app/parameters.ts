import { MACHINE_NAMES, NETNS_NAMES } from '../diagnose/tune/parameters.ts';
import { attempt } from '../kernel/attempt.ts';
import { type Machine, type NetNsEntry, readText } from '../kernel/machine.ts';
import { listNetns, readMounts } from '../kernel/netns.ts';

/** Open files of the whole machine, and how many there may be. */
type Files = { open: number; limit: number };

/** Everything that such a page is made of, for a recording. */
export function readAllParameters(machine: Machine): void {
  const values = readMachineParameters(machine);
  filesOf(machine, values);
  for (const entry of listNetns(machine, machine.processes(), readMounts(machine))) readNetnsParameters(machine, entry);
}

export function readNetnsParameters(machine: Machine, entry: NetNsEntry): Record<string, string> | undefined {
  for (const path of entry.paths) {
    const values = attempt(() => machine.parameters(entry, path, NETNS_NAMES));
    if (values) return values;
  }
  return undefined;
}

export function readMachineParameters(machine: Machine): Map<string, string> {
  const values = new Map<string, string>();
  for (const name of MACHINE_NAMES) {
    const text = attempt(() => readText(machine, `/proc/sys/${name.replaceAll('.', '/')}`));
    if (text !== undefined) values.set(name, text.trim());
  }
  return values;
}

/** /proc/sys/fs/file-nr: allocated, free (always 0), and the limit (Documentation/admin-guide/sysctl/fs.rst). */
export function filesOf(machine: Machine, values: Map<string, string>): Files | undefined {
  const [open] = (attempt(() => readText(machine, '/proc/sys/fs/file-nr')) ?? '').trim().split(/\s+/).map(Number);
  const limit = Number(values.get('fs.file-max'));
  return open !== undefined && open > 0 && limit > 0 ? { open, limit } : undefined;
}
