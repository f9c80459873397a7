import { OBJECT } from '../../parse/python/layouts.ts';
import type { Heap, Type } from './heap.ts';
import { typeAt } from './heap.ts';
import { isTorn, unlessTorn } from './torn.ts';

const GENERATIONS = 3;
/** Walks of one list; a program that makes and drops objects all the time changes it under our hands. */
const MOST_WALKS = 12;

/** How far a walk may go: objects, and the clock at which it ends. */
export type Bounds = { objects: number; until: number; now: () => number; signal: AbortSignal };

/** `complete`: every object that the collector knew from beginning to end was seen. Otherwise why not. */
export type Walk = { objects: number; complete: boolean; reason?: 'changing' | 'bounds' };

/**
 * Gives every object that the collector of an interpreter knows (all that can hold others) to `visit`, while the program goes
 * on. The younger lists come first, for objects only ever move to older ones: what was in a list that is collected meanwhile
 * comes in an older one. An object can come twice.
 */
export function walkObjects(
  heap: Heap,
  collector: number,
  bounds: Bounds,
  visit: (object: number, type: Type) => void,
): Walk {
  const { gc } = heap.layout;
  const heads = Array.from({ length: GENERATIONS }, (_, i) => collector + gc.generations + i * gc.generationSize);
  heads.push(collector + gc.permanent);
  let objects = 0;
  let complete = true;
  for (const [generation, head] of heads.entries()) {
    const left = { ...bounds, objects: bounds.objects - objects };
    const walk = walkGeneration(heap, collector, { generation, head, heads }, left, visit);
    objects += walk.objects;
    if (walk.end === 'bounds') return { objects, complete: false, reason: 'bounds' };
    complete &&= walk.end === 'head';
  }
  return { objects, complete, ...(!complete && { reason: 'changing' as const }) };
}

/** Until it was walked without a break and without a collection, or its objects have gone to an older list. */
function walkGeneration(
  heap: Heap,
  collector: number,
  { generation, head, heads }: { generation: number; head: number; heads: number[] },
  bounds: Bounds,
  visit: (object: number, type: Type) => void,
): { objects: number; end: End } {
  const own = Math.min(generation, GENERATIONS - 1);
  const start = collections(heap, collector).slice(own);
  let objects = 0;
  for (let walk = 0; walk < MOST_WALKS; walk++) {
    const before = collections(heap, collector).slice(own);
    const { end, objects: seen } = walkList(heap, heads, head, { ...bounds, objects: bounds.objects - objects }, visit);
    objects += seen;
    if (end === 'bounds') return { objects, end };
    const after = finished(heap, collector, bounds)?.slice(own);
    const isSame = (counts: number[]) => after !== undefined && counts.every((count, i) => count === after[i]);
    if (end === 'head' && isSame(before)) return { objects, end };
    if (own < GENERATIONS - 1 && after && !isSame(start)) return { objects, end: 'head' };
    if (bounds.now() > bounds.until) break;
  }
  return { objects, end: 'broken' };
}

/** How often each generation was collected; this is counted at the end of a collection. */
function collections({ memory, layout: { gc } }: Heap, collector: number): number[] {
  memory.forget();
  return Array.from({ length: GENERATIONS }, (_, i) => memory.u64(collector + gc.stats + i * gc.statsSize));
}

/** The same when the collection has ended that may be under way; undefined when it does not end. */
function finished(heap: Heap, collector: number, { until, now }: Bounds): number[] | undefined {
  const { memory, layout } = heap;
  const before = collections(heap, collector);
  for (;;) {
    const isRunning = memory.s32(collector + layout.gc.collecting) !== 0;
    const counts = collections(heap, collector);
    if (!isRunning || counts.some((count, i) => count !== before[i])) return counts;
    if (now() > until) return undefined;
  }
}

/** Within one walk. */
const MOST_BACKS = 500;

/** How often the clock is looked at. */
const SOMETIMES = 4096;

type End = 'head' | 'broken' | 'bounds';

function walkList(
  heap: Heap,
  heads: number[],
  head: number,
  { objects: most, until, now, signal }: Bounds,
  visit: (object: number, type: Type) => void,
): { objects: number; end: End } {
  const { headSize } = heap.layout.gc;
  const trail = [head];
  let objects = 0;
  let backs = 0;
  for (let last = head; objects < most; ) {
    if (objects % SOMETIMES === 0 && (signal.aborted || now() > until)) break;
    const at = next(heap, last);
    if (at === head) return { objects, end: 'head' };
    if (at !== undefined && heads.includes(at)) return { objects, end: 'broken' }; // all of it has gone to that list
    if (at === undefined) {
      const linked = ++backs > MOST_BACKS ? undefined : goBack(heap, trail);
      if (linked === undefined) return { objects, end: 'broken' };
      last = linked;
      continue;
    }
    see(heap, at + headSize, visit);
    trail.push(at);
    last = at;
    objects++;
  }
  return { objects, end: 'bounds' };
}

function see(heap: Heap, object: number, visit: (object: number, type: Type) => void): void {
  try {
    visit(object, typeAt(heap, heap.memory.u64(object + OBJECT.type)));
  } catch (error) {
    if (!isTorn(error)) throw error; // it was freed at this moment
  }
}

/**
 * Where objects were taken out beside the walk, the walk goes on from one before that is still in the list: from there on it
 * goes again. Often many are freed at once that were made one after the other, so each step back is twice as long.
 */
function goBack(heap: Heap, trail: number[]): number | undefined {
  for (let step = 1; ; step *= 2) {
    const at = trail.at(-1);
    heap.memory.forget();
    if (at === undefined || (next(heap, at) !== undefined && isPointedAt(heap, at))) return at;
    trail.length = Math.max(0, trail.length - step);
  }
}

/** The next of the list, if it points back. */
function next({ memory }: Heap, at: number): number | undefined {
  try {
    const found = link(memory.u64(at));
    return link(memory.u64(found + 8)) === at ? found : undefined;
  } catch (error) {
    if (isTorn(error)) return undefined;
    throw error;
  }
}

const isPointedAt = ({ memory }: Heap, at: number): boolean =>
  unlessTorn(() => link(memory.u64(link(memory.u64(at + 8))))) === at;

/** The collector keeps two marks of its own in the lowest bits of both pointers (from 3.8 on). */
const link = (word: number): number => word - (word % 4);
