import type { Inside, StrandView } from '../../model/inside.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { groupStrands, isAtRest } from './strands.ts';
import { StrandWords } from './words.ts';

/** What the threads, goroutines and tasks of a process do, in groups, with the connections they wait on: the working ones first. */
export function viewsOf({ strands = [] }: Inside, snapshot: Snapshot): StrandView[] {
  const words = new StrandWords(snapshot);
  const views = groupStrands(strands, (strand) => words.of(strand)).map(({ strand, count, names, doing }) => ({
    kind: strand.kind,
    count,
    names,
    ...(doing !== undefined && { doing }),
    frames: strand.frames,
    atRest: isAtRest(strand),
  }));
  return views.sort((a, b) => Number(a.atRest) - Number(b.atRest) || b.count - a.count);
}
