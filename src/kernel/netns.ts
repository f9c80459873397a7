import { SystemError } from '../model/errors.ts';
import { type MountFacts, parseMountinfo } from '../parse/mountinfo.ts';
import { type Machine, type NetNsEntry, OWN_NETNS, type ProcessEntry, readText } from './machine.ts';

export function readMounts(machine: Machine): MountFacts {
  try {
    return parseMountinfo(readText(machine, '/proc/self/mountinfo'));
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return { netns: [] };
  }
}

/**
 * Every network namespace that a process is in or that is kept by a bind mount (as `ip netns` and container engines
 * do), our own first. One that only an open descriptor keeps alive is not found.
 */
export function listNetns(machine: Machine, processes: ProcessEntry[], mounts: MountFacts): NetNsEntry[] {
  const own = machine.ownNetns();
  const entries = new Map<number, NetNsEntry>([[own, { id: own, path: OWN_NETNS }]]);
  for (const { pid, netns } of processes) {
    if (netns === undefined) continue;
    const entry = entries.get(netns);
    if (entry === undefined) entries.set(netns, { id: netns, path: `/proc/${pid}/ns/net`, pid });
    else entry.pid ??= pid;
  }
  for (const { id, path } of mounts.netns) {
    const entry = entries.get(id) ?? { id, path };
    entry.name ??= path.slice(path.lastIndexOf('/') + 1);
    entries.set(id, entry);
  }
  return [...entries.values()];
}
