import { attempt } from '../../kernel/attempt.ts';
import { readText } from '../../kernel/machine.ts';
import type { Memory } from '../../kernel/memory.ts';
import { tidsByInner } from '../../kernel/tids.ts';
import type { Deadlock, Strand } from '../../model/inside.ts';
import type { FutexArguments } from '../../parse/call-arguments.ts';
import { MUTEX_SIZE, mutexOwner } from '../../parse/mutex.ts';
import type { RawCall } from '../../parse/syscall.ts';
import type { Subject } from '../subject.ts';
import type { SeenThread } from './threads.ts';

/** A thread that sleeps on a word in memory. */
export type Sleeper = { thread: SeenThread; raw: RawCall; futex: FutexArguments };

/** Go has locks of its own that use the same call in the same way, and so may whatever is not linked with glibc. */
function hasMutexesOfGlibc({ machine, process }: Subject): boolean {
  if (process.runtime === 'go') return false;
  const maps = attempt(() => readText(machine, `/proc/${process.pid}/maps`));
  return maps !== undefined && /\/(?:libc\.so\.6|libc-2\.[0-9]+\.so|libpthread[.-][^/\n]*)$/m.test(maps);
}

/** The owner of the lock that each thread sleeps on, by numbers of threads that exist; only what the lock itself says. */
export function readOwners(
  subject: Subject,
  memory: Memory,
  threads: readonly SeenThread[],
  sleepers: readonly Sleeper[],
): Map<number, number> {
  const owners = new Map<number, number>();
  if (sleepers.length === 0) return owners;
  const glibc = hasMutexesOfGlibc(subject);
  let tids: Map<number, number> | undefined;
  for (const { thread, raw, futex } of sleepers) {
    if (!glibc && futex.kind === 'wait') continue;
    const bytes = memory.read(futex.address, MUTEX_SIZE);
    const inner = bytes && mutexOwner(bytes, raw, futex);
    if (inner === undefined) continue;
    tids ??= tidsByInner(
      subject.machine,
      subject.process.pid,
      threads.map(({ tid }) => tid),
    );
    const owner = tids.get(inner);
    if (owner !== undefined && owner !== thread.tid) owners.set(thread.tid, owner);
  }
  return owners;
}

/** Locks are named by their address, threads by their name and number. */
export const labelOf = ({ name, tid }: Pick<Strand, 'name' | 'tid'>): string => `${name ?? 'thread'} (${tid})`;

/** Threads that wait for each other in a circle; each waits for one lock at most, so that every circle is found once. */
export function findDeadlocks(owners: ReadonlyMap<number, number>, labels: ReadonlyMap<number, string>): Deadlock[] {
  const deadlocks: Deadlock[] = [];
  const done = new Set<number>();
  for (const start of owners.keys()) {
    const way: number[] = [];
    let at: number | undefined = start;
    while (at !== undefined && !done.has(at)) {
      done.add(at);
      way.push(at);
      at = owners.get(at);
    }
    const from = at === undefined ? -1 : way.indexOf(at);
    if (from >= 0) deadlocks.push({ strands: way.slice(from).map((tid) => labels.get(tid) ?? `thread (${tid})`) });
  }
  return deadlocks;
}
