import type { FdRange } from './bpf/program.ts';

/**
 * Ranges of descriptor numbers that have about as many descriptors each, if the numbers of every process are used from 0 on.
 * Where no process has any, one range of all.
 */
export function evenRanges(counts: readonly number[], parts: number): FdRange[] {
  const sorted = counts.filter((count) => count > 0).sort((a, b) => a - b);
  const all = sorted.reduce((sum, count) => sum + count, 0);
  const cuts: number[] = [];
  let below = 0;
  let start = 0;
  // Between the sizes of two processes all larger ones have each number, so the sum grows evenly there.
  sorted.forEach((count, place) => {
    const larger = sorted.length - place;
    const end = below + (count - start) * larger;
    while (cuts.length + 1 < parts && end >= (all * (cuts.length + 1)) / parts)
      cuts.push(start + Math.ceil(((all * (cuts.length + 1)) / parts - below) / larger));
    below = end;
    start = count;
  });
  const froms = [0, ...new Set(cuts)];
  return froms.map((from, i) => {
    const to = froms[i + 1];
    return to === undefined ? { from } : { from, to };
  });
}
