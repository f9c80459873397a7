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

/** Further processes of a namespace are not remembered: one of these is still there when it is entered. */
const MOST_PIDS = 4;

/**
 * Every network namespace that a process is in or that is kept by a bind mount (as `ip netns` and container engines
 * do), our own first. One that only an open descriptor keeps alive is not found.
 */
export function listNetns(machine: Machine, processes: ProcessEntry[], mounts: MountFacts): NetNsEntry[] {
  const own = machine.ownNetns();
  const entries = new Map<number, NetNsEntry>([[own, { id: own, paths: [OWN_NETNS], pids: [] }]]);
  const entryOf = (id: number): NetNsEntry => {
    const known = entries.get(id);
    if (known) return known;
    const entry: NetNsEntry = { id, paths: [], pids: [] };
    entries.set(id, entry);
    return entry;
  };
  for (const { id, path } of mounts.netns) {
    const entry = entryOf(id);
    entry.name ??= path.slice(path.lastIndexOf('/') + 1);
    if (id !== own) entry.paths.push(path);
  }
  for (const { pid, netns } of processes) {
    if (netns === undefined) continue;
    const entry = entryOf(netns);
    if (entry.pids.length >= MOST_PIDS) continue;
    entry.pids.push(pid);
    if (netns !== own) entry.paths.push(`/proc/${pid}/ns/net`);
  }
  return [...entries.values()];
}
