import { standingOf } from '../diagnose/ages.ts';
import { ListenerIndex } from '../diagnose/listeners.ts';
import { findHolders, userOf, type Walk, type Wanted } from '../kernel/holders.ts';
import type { Machine, ProcessEntry } from '../kernel/machine.ts';
import { DEFAULT_LIMITS } from '../model/finding.ts';
import type { Listener, TcpSocket } from '../model/socket.ts';
import { type ClosedSearch, findClosedButHeld } from './closed-but-held.ts';
import type { Memory } from './memory.ts';
import type { NamespaceReader } from './namespaces.ts';
import { MOST_OTHERS } from './states.ts';

/** What to look at. Times in milliseconds. */
export type CaptureOptions = {
  /** CLOSE_WAIT for at least this long is stuck. */
  stuckAfterMs?: number;
  /** Look for holders among these processes only. */
  pids?: number[];
  /** Look for the holders of young CLOSE_WAIT sockets too, not only of stuck ones. */
  young?: boolean;
  /** Look at the descriptors of every process, so that no further holder of a socket is missed. */
  allHolders?: boolean;
  /** Search for descriptors of closed sockets: when counters say there are some, always, or never. */
  closedButHeld?: 'auto' | 'always' | 'never';
  /** What earlier looks have seen: spares the second look at sockets that may only be passing through. */
  memory?: Memory;
  /** When reading began, in milliseconds since 1970, where it had begun before the capture. */
  begun?: number;
  /** Fail rather than read in another way. */
  only?: 'bpf';
};

/** What was found out about who holds what. */
export type Found = {
  /** Absent when there was no reason to look at descriptors. */
  walk?: Walk;
  /** Sockets in other states; absent when they were not read. */
  others?: TcpSocket[];
  /** Wanted sockets without a known holder. */
  unowned: number;
  closed: ClosedSearch;
};

/** Decides what is worth looking for, and looks: nothing stuck means that no descriptor is looked at at all. */
export function search(
  machine: Machine,
  reader: NamespaceReader,
  processes: ProcessEntry[],
  options: CaptureOptions,
): Found {
  const wanted = wantedSockets(reader, options);
  const unlisted = reader.unlisted();
  const mode = options.closedButHeld ?? 'auto';
  const searchAll = mode === 'always' || (mode === 'auto' && (unlisted ?? 0) >= CLOSED_WORTH_A_WALK && !options.pids);
  if (wanted.inodes.size === 0 && !searchAll && !options.pids) {
    return { unowned: 0, closed: atMost(unlisted) };
  }
  const walk = findHolders(machine, processes, {
    ...wanted,
    ...(options.pids && { only: new Set(options.pids) }),
    everywhere: options.allHolders === true || searchAll,
  });
  const unowned = options.pids ? 0 : countUnowned(reader, walk, wanted);
  const worthReading = searchAll || options.pids !== undefined || (reader.others ?? 0) <= MOST_OTHERS;
  const others = worthReading ? reader.readOthers() : undefined;
  const closed =
    mode === 'never' || unlisted === 0 || !others
      ? atMost(unlisted)
      : findClosedButHeld(machine, reader, walk, others, processes, {
          everyProcess: options.pids === undefined,
          unlisted: options.pids ? undefined : unlisted,
        });
  return { walk, ...(others && { others }), unowned, closed };
}

/** Wanted sockets that nobody was seen to hold, and that are still there: a closed one has no holder any more. */
function countUnowned(reader: NamespaceReader, walk: Walk, wanted: Sought): number {
  if (walk.missing === 0) return 0;
  reader.dropGone();
  const there = new Set([...reader.sockets.list(), ...reader.listeners].map(({ inode }) => inode));
  let unowned = 0;
  for (const [inode, found] of wanted.inodes) if (!found && there.has(inode)) unowned++;
  return unowned;
}

/**
 * From so many TCP sockets that are in no table on, every process is searched for them (3 microseconds a descriptor);
 * below, only the processes that are looked at anyway. A few are normal: a socket is in no table until it is connected.
 */
const CLOSED_WORTH_A_WALK = 10;

const atMost = (unlisted: number | undefined): ClosedSearch =>
  unlisted === undefined ? {} : unlisted === 0 ? { found: [], atMost: 0 } : { atMost: unlisted };

type Sought = Pick<Wanted, 'inodes' | 'netns' | 'users' | 'cgroups'>;

/** So many at once are looked into although they are young: a program that has just been restarted leaks young sockets. */
export const YOUNG_WORTH_A_WALK = 20;

/** The sockets whose holder matters: stuck ones, and the listeners of those that nobody has accepted. */
function wantedSockets(reader: NamespaceReader, options: CaptureOptions): Sought {
  const limit = options.stuckAfterMs ?? DEFAULT_LIMITS.stuckAfterMs;
  const young = options.young || reader.sockets.length >= YOUNG_WORTH_A_WALK;
  const index = new ListenerIndex(reader.listeners);
  const sought: Sought = { inodes: new Map(), netns: new Set(), users: new Set(), cgroups: new Set() };
  let last: TcpSocket | Listener | undefined;
  for (const socket of reader.sockets.list()) {
    if (socket.state !== 'CLOSE_WAIT') continue;
    if (!young && standingOf(socket, limit) === 'young') continue;
    const held = socket.inode === undefined ? index.of(socket) : socket;
    if (held?.inode === undefined) continue;
    sought.inodes.set(held.inode, false);
    // One after the other they are mostly of the same holder.
    if (held.netns === last?.netns && held.uid === last.uid && held.cgroupId === last.cgroupId) continue;
    last = held;
    sought.netns.add(held.netns);
    if (held.uid !== undefined) sought.users.add(userOf(held.netns, held.uid));
    if (held.cgroupId !== undefined) sought.cgroups.add(held.cgroupId);
  }
  return sought;
}
