import type { Deadlock, Frame, Inside, Strand } from '../../model/inside.ts';

/** Strands that do exactly the same, counted. */
export type StrandGroup = { strand: Strand; count: number; names: string[]; doing?: string };

export const countOf = ({ count = 1 }: Strand): number => count;

/** The innermost frame of the program's own code: the line that somebody can look at. */
export const ownFrame = ({ frames }: Strand): Frame | undefined =>
  frames.find(({ origin }) => origin === 'application');

/** The program's own frames that led to that one, the nearest first. */
export const callersOf = (frames: readonly Frame[]): Frame[] =>
  frames.filter(({ origin }) => origin === 'application').slice(1, 1 + MOST_CALLERS);

const MOST_CALLERS = 3;

/** Where a pool of the runtime's own keeps threads that have nothing to do. Without a frame of the program they are at rest. */
const AT_REST = /\bThreadPoolExecutor\.getTask$|\bForkJoinPool\.awaitWork$|\bDelayedWorkQueue\.take$|\bGCTaskThread\b/;

/** Loops of pools, which run tasks of libraries too: at rest only where nothing but waiting was called from there. */
const POOL_LOOP = /\bForkJoinPool\.runWorker$|^_worker$/;
const WAITING = /\bUnsafe\.park$|\bLockSupport\.park\w*$|^SimpleQueue\.get$|^_PySimpleQueue\.get$/;

function restsInPool(frames: readonly Frame[]): boolean {
  const called = frames.findIndex(({ function: name }) => !WAITING.test(name));
  return POOL_LOOP.test(frames[called]?.function ?? '') || frames.some(({ function: name }) => AT_REST.test(name));
}

/** Threads that Node.js and HotSpot keep for themselves, by the fifteen characters that the kernel knows of their names. */
const OF_RUNTIME =
  /^(?:V8Worker|DelayedTaskSche|SignalInspector|libuv-worker|GC Thread|G1 |ZGC|Shenandoah|VM (?:Thread|Periodic)|C[12] Compiler|Signal Dispatch|Finalizer|Reference Handl|Service Thread|Monitor Deflati|Sweeper|Common-Cleaner|Notification T|Attach Listener)/;

export const isAtRest = (strand: Strand): boolean =>
  strand.ofRuntime === true ||
  (strand.frames.length === 0 && OF_RUNTIME.test(strand.name ?? '')) ||
  (strand.frames.length > 0 && !ownFrame(strand) && restsInPool(strand.frames));

/** Equal stacks together, and among these what does the same, the largest group first. */
export function groupStrands(
  strands: readonly Strand[],
  doingOf: (strand: Strand) => string | undefined = ({ state }) => state,
): StrandGroup[] {
  const groups = new Map<string, StrandGroup>();
  for (const strand of strands) {
    const doing = doingOf(strand);
    const stack = strand.frames.map(({ function: name, line }) => `${name}:${line}`).join(' ');
    const key = `${strand.kind} ${doing === undefined ? '' : ofAnyClient(doing)} ${stack}`;
    const group = groups.get(key) ?? { strand, count: 0, names: [], ...(doing !== undefined && { doing }) };
    if (doing !== undefined && group.doing !== doing) group.doing = ofAnyClient(doing);
    group.count += countOf(strand);
    if (strand.name !== undefined) group.names.push(strand.name);
    groups.set(key, group);
  }
  return [...groups.values()].sort((a, b) => b.count - a.count);
}

/** Each connection that is served has a client of its own: those who wait for theirs do the same. */
const ofAnyClient = (doing: string): string => doing.replace(/\bclient [^ ,]+/g, 'a client');

/** HotSpot calls it a deadlock too where a thread has given its lock a time-out (tryLock), after which it goes on. */
const isLasting = ({ strands: circle }: Deadlock, strands: readonly Strand[]): boolean =>
  !strands.some(({ name, state }) => name !== undefined && circle.includes(name) && state?.startsWith('TIMED_WAITING'));

/** What the kernel says of threads and what the runtime says of the same ones, in one: stacks with the calls they end in. */
export function joinInside(kernel: Inside, runtime: Inside | undefined): Inside {
  if (!runtime) return kernel;
  const seen = new Map((kernel.strands ?? []).map((strand) => [strand.tid, strand]));
  const told = (runtime.strands ?? []).map((strand) => {
    const same = strand.tid === undefined ? undefined : seen.get(strand.tid);
    if (same) seen.delete(strand.tid);
    return { ...same, ...strand };
  });
  const { strands: _kernel, attachments, gaps, ...rest } = kernel;
  return {
    ...rest,
    ...runtime,
    ...(runtime.deadlocks && { deadlocks: runtime.deadlocks.filter((it) => isLasting(it, told)) }),
    strands: [...told, ...seen.values()],
    attachments: [...attachments, ...runtime.attachments],
    gaps: [...gaps, ...runtime.gaps],
  };
}
