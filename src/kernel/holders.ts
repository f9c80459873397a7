import { isDenied, SystemError } from '../model/errors.ts';
import type { FdTable, Machine, ProcessEntry } from './machine.ts';

export type Wanted = {
  /** False until a holder is found. */
  inodes: Map<number, boolean>;
  /** What the kernel says of the wanted sockets: where their holders are likely to be. */
  netns: Set<number>;
  uids: Set<number>;
  cgroups: Set<bigint>;
  /** Look at these processes only. */
  only?: Set<number>;
  /** Look at every process, even when all wanted inodes are found. */
  everywhere: boolean;
};

export type Walk = {
  /** Descriptor tables of the processes that were looked at and hold a socket. */
  tables: Map<number, FdTable>;
  denied: number[];
  lookedAt: number;
  /** Processes that hold a wanted inode. */
  holders: Set<number>;
  /** How many wanted inodes nobody was seen to hold. */
  missing: number;
  /** Processes that were not looked at, because everything had been found. */
  skipped: number;
};

/**
 * Descriptors that are still looked at once every inode is found: a socket can have several holders, and the likely
 * ones come first. 20,000 cost about 40 ms and are more than most machines have open in all.
 */
const FURTHER_FDS = 20_000;
/** Where the kernel does not count descriptors (before 6.2), a process is taken to have this many. */
const ASSUMED_FDS = 64;

/** Looks for the holders of wanted sockets, the likely processes first, and stops soon after the last is found. */
export function findHolders(machine: Machine, processes: ProcessEntry[], wanted: Wanted): Walk {
  const walk: Walk = {
    tables: new Map(),
    denied: [],
    lookedAt: 0,
    holders: new Set(),
    missing: wanted.inodes.size,
    skipped: 0,
  };
  let further = FURTHER_FDS;
  for (const { pid, fdCount } of inLikelyOrder(machine, processes, wanted)) {
    if (fdCount === 0) continue; // kernel threads and zombies
    if (walk.missing === 0 && !wanted.everywhere) {
      further -= fdCount ?? ASSUMED_FDS;
      if (further < 0) {
        walk.skipped++;
        continue;
      }
    }
    lookAt(machine, pid, wanted.inodes, walk);
  }
  return walk;
}

function lookAt(machine: Machine, pid: number, wanted: Map<number, boolean>, walk: Walk): void {
  let table: FdTable;
  try {
    table = machine.fdTable(pid);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (isDenied(error)) walk.denied.push(pid);
    return; // else it ended meanwhile
  }
  walk.lookedAt++;
  if (table.sockets.size === 0) return;
  walk.tables.set(pid, table);
  if (wanted.size === 0) return;
  for (const inode of table.sockets.keys()) {
    const found = wanted.get(inode);
    if (found === undefined) continue;
    walk.holders.add(pid);
    if (found) continue;
    wanted.set(inode, true);
    walk.missing--;
  }
}

function inLikelyOrder(machine: Machine, processes: ProcessEntry[], wanted: Wanted): ProcessEntry[] {
  const { only } = wanted;
  if (only) return processes.filter(({ pid }) => only.has(pid));
  const inCgroup = pidsOf(machine, wanted.cgroups);
  const rank = ({ pid, netns, uid }: ProcessEntry): number => {
    if (inCgroup.has(pid)) return 0;
    const sameNetns = netns !== undefined && wanted.netns.has(netns);
    if (sameNetns && uid !== undefined && wanted.uids.has(uid)) return 1;
    return sameNetns ? 2 : 3;
  };
  return processes
    .map((entry) => ({ entry, rank: rank(entry) }))
    .sort((a, b) => a.rank - b.rank || (b.entry.fdCount ?? 0) - (a.entry.fdCount ?? 0))
    .map(({ entry }) => entry);
}

/** More cgroups than this say little about where to look first, and each costs a few system calls. */
const MOST_CGROUPS = 64;

function pidsOf(machine: Machine, cgroups: Set<bigint>): Set<number> {
  const pids = new Set<number>();
  if (cgroups.size > MOST_CGROUPS) return pids;
  for (const id of cgroups) {
    if (id === ROOT_CGROUP) continue;
    try {
      for (const pid of machine.cgroupPids(id)) pids.add(pid);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error; // a hint that is not to be had costs order, not truth
    }
  }
  return pids;
}

/** Id of the root of the hierarchy, which says nothing (include/linux/kernfs.h: the first inode number is 1). */
const ROOT_CGROUP = 1n;
