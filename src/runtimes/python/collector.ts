import { OBJECT } from '../../parse/python/layouts.ts';
import type { Heap, Type } from './heap.ts';
import { typeAt } from './heap.ts';
import { isTorn } from './torn.ts';

const GENERATIONS = 3;
/** Of one list; a program that makes and drops objects all the time changes the youngest one under our hands. */
const MOST_WALKS = 12;

/** How far a walk may go: objects, and the clock at which it ends. */
export type Bounds = { objects: number; until: number; now: () => number; signal: AbortSignal };

/** `complete`: every object that the collector knew all the time was seen. Otherwise why not. */
export type Walk = { objects: number; complete: boolean; reason?: 'changing' | 'bounds' | 'unreadable' };

/**
 * Gives every object that the collector of an interpreter knows (all that can hold others) to `visit`, while the program goes
 * on. The younger lists come first: objects only ever move to older ones. A list is walked again when it was collected
 * meanwhile, or when a neighbour does not point back. An object can come twice.
 */
export function walkObjects(
  heap: Heap,
  collector: number,
  bounds: Bounds,
  visit: (object: number, type: Type) => void,
): Walk {
  const { gc } = heap.layout;
  const heads = Array.from({ length: GENERATIONS }, (_, i) => collector + gc.generations + i * gc.generationSize);
  let objects = 0;
  for (const [generation, head] of [...heads, collector + gc.permanent].entries()) {
    for (let walk = 1; ; walk++) {
      heap.memory.forget();
      const before = collections(heap, collector, generation);
      const walked =
        before === undefined
          ? undefined
          : walkList(heap, head, { ...bounds, objects: bounds.objects - objects }, visit);
      heap.memory.forget();
      objects += walked?.objects ?? 0;
      if (walked?.end === 'bounds') return { objects, complete: false, reason: 'bounds' };
      if (walked?.end === 'head' && collections(heap, collector, generation) === before) break;
      if (walk >= MOST_WALKS || bounds.now() > bounds.until)
        return { objects, complete: false, reason: walked?.end === 'unreadable' ? 'unreadable' : 'changing' };
    }
  }
  return { objects, complete: true };
}

/** How often this list and the older ones were collected; undefined while a collection is under way. */
function collections({ memory, layout: { gc } }: Heap, collector: number, generation: number): string | undefined {
  if (memory.s32(collector + gc.collecting) !== 0) return undefined;
  const counts: number[] = [];
  for (let i = Math.min(generation, GENERATIONS - 1); i < GENERATIONS; i++)
    counts.push(memory.u64(collector + gc.stats + i * gc.statsSize));
  return counts.join(' ');
}

/** How often the clock is looked at. */
const SOMETIMES = 4096;

type End = 'head' | 'broken' | 'unreadable' | 'bounds';

function walkList(
  heap: Heap,
  head: number,
  { objects: most, until, now, signal }: Bounds,
  visit: (object: number, type: Type) => void,
): { objects: number; end: End } {
  const { memory, layout } = heap;
  const { headSize } = layout.gc;
  let objects = 0;
  try {
    let last = head;
    for (let at = link(memory.u64(head)); at !== head; at = link(memory.u64(at))) {
      if (link(memory.u64(at + 8)) !== last) return { objects, end: 'broken' };
      visit(at + headSize, typeAt(heap, memory.u64(at + headSize + OBJECT.type)));
      last = at;
      if (++objects >= most) return { objects, end: 'bounds' };
      if (objects % SOMETIMES === 0 && (signal.aborted || now() > until)) return { objects, end: 'bounds' };
    }
    return { objects, end: 'head' };
  } catch (error) {
    if (isTorn(error)) return { objects, end: 'unreadable' };
    throw error;
  }
}

/** The collector keeps two marks of its own in the lowest bits of both pointers (from 3.8 on). */
const link = (word: number): number => word - (word % 4);
