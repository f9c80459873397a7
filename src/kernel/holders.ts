import { isGone, SystemError } from '../model/errors.ts';
import type { FdOwner, FdTable, Machine, ProcessEntry } from './machine.ts';

export type Wanted = {
  /** False until a holder is found. */
  inodes: Map<number, boolean>;
  /** What the kernel says of the wanted sockets: where their holders are likely to be. */
  netns: Set<number>;
  /** Namespace and user of each: see `userOf`. */
  users: Set<string>;
  cgroups: Set<bigint>;
  /** Look at these processes only. */
  only?: Set<number>;
  /** Look at every process, even when all wanted inodes are found. */
  everywhere: boolean;
};

export const userOf = (netns: number, uid: number): string => `${netns} ${uid}`;

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
 * How much is still looked at once every inode is found, in descriptors: a socket can have several holders, and the
 * likely ones come first. 20,000 cost about 40 ms and are more than most machines have open in all.
 */
const FURTHER_FDS = 20_000;
/** To open and list a table costs as much as so many descriptors in it. */
const TABLE_IN_FDS = 8;

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
  const owners = machine.fdOwners(candidates(processes, wanted));
  for (const pid of inLikelyOrder(machine, processes, wanted, owners)) {
    const fdCount = owners.get(pid)?.fdCount;
    if (fdCount === 0) continue; // a kernel thread or a zombie
    if (walk.missing === 0 && !wanted.everywhere) {
      further -= TABLE_IN_FDS + (fdCount ?? 0);
      if (further < 0) {
        walk.skipped++;
        continue;
      }
    }
    const count = lookAt(machine, pid, wanted.inodes, walk);
    // Before Linux 6.2 a table's size is known only now.
    if (fdCount === undefined && walk.missing === 0) further -= count;
  }
  return walk;
}

/** Gives the number of descriptors that were looked at. */
function lookAt(machine: Machine, pid: number, wanted: Map<number, boolean>, walk: Walk): number {
  let table: FdTable;
  try {
    table = machine.fdTable(pid);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (!isGone(error)) walk.denied.push(pid);
    return 0;
  }
  walk.lookedAt++;
  const { count = table.sockets.size } = table;
  if (table.sockets.size === 0) return count;
  walk.tables.set(pid, table);
  if (wanted.size === 0) return count;
  for (const inode of table.sockets.keys()) {
    const found = wanted.get(inode);
    if (found === undefined) continue;
    walk.holders.add(pid);
    if (found) continue;
    wanted.set(inode, true);
    walk.missing--;
  }
  return count;
}

const candidates = (processes: ProcessEntry[], { only }: Wanted): number[] =>
  processes.flatMap(({ pid }) => (only === undefined || only.has(pid) ? pid : []));

function inLikelyOrder(
  machine: Machine,
  processes: ProcessEntry[],
  wanted: Wanted,
  owners: Map<number, FdOwner>,
): number[] {
  const inCgroup = pidsOf(machine, wanted.cgroups);
  const rank = ({ pid, netns }: ProcessEntry, uid: number | undefined): number => {
    if (inCgroup.has(pid)) return 0;
    const sameNetns = netns !== undefined && wanted.netns.has(netns);
    if (netns !== undefined && uid !== undefined && wanted.users.has(userOf(netns, uid))) return 1;
    return sameNetns ? 2 : 3;
  };
  const ranked = processes.flatMap((entry) => {
    const owner = owners.get(entry.pid);
    return owner ? { pid: entry.pid, rank: rank(entry, owner.uid), fdCount: owner.fdCount ?? 0 } : [];
  });
  return ranked.sort((a, b) => a.rank - b.rank || b.fdCount - a.fdCount).map(({ pid }) => pid);
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
