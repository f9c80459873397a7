import type { Case, Cause } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import type { CaseBuilder } from './case-builder.ts';
import type { Judged } from './judged.ts';

/** Sockets of one process in one direction. */
export type Lot = { inbound: boolean; sockets: CaseBuilder };
/** What the rules say of them. */
export type Part = Lot & { judged: Judged; subject: Case };
/** What is put together from several lots has to be built anew. */
type Merged = { lots: Lot[]; judged?: Judged; subject?: Case };

/** These are about the whole process, whichever way a connection was made. */
const OF_THE_PROCESS: ReadonlySet<Cause> = new Set(['stalled', 'inherited-fd']);
const HARMLESS: ReadonlySet<Cause> = new Set(['half-close', 'stale-pool']);
/** A thread that is stuck may have one connection in hand, of which it has already read what came. */
const IN_HAND: ReadonlySet<Cause> = new Set(['forgotten', 'missing-close', 'not-reading', 'unknown']);

/**
 * Puts together what a reader wants to see together: what has one cause, and the few that differ from the many. Several
 * findings for one leak are as bad as one for two. Young sockets go with the stuck ones of their direction.
 */
export function mergeParts(parts: Part[], young: Lot[], process: Process): Merged[] {
  const heaps = new Heaps(parts);
  heaps.join((a, b) => a.cause === b.cause && (OF_THE_PROCESS.has(a.cause) || a.inbound === b.inbound));
  const threads = process.threadList?.length ?? 0;
  heaps.join((a, b) => b.cause === 'stalled' && a.inbound && IN_HAND.has(a.cause) && a.size <= threads);
  const total = [false, true].map((inbound) => heaps.size((it) => it.inbound === inbound));
  heaps.join((a, b) => {
    if (a.inbound !== b.inbound || a.size >= b.size || HARMLESS.has(b.cause)) return false;
    const share = a.size / (total[Number(a.inbound)] ?? 1);
    return share < (a.cause === 'unknown' ? SMALL_UNKNOWN : SMALL);
  });
  return heaps.withYoung(young);
}

/** So small a share of the sockets of one direction gets no finding of its own; of what nothing is known, a larger one. */
const SMALL = 0.1;
const SMALL_UNKNOWN = 0.25;

type Heap = { parts: Part[]; cause: Cause; inbound: boolean; size: number };

class Heaps {
  #heaps: Heap[];

  constructor(parts: Part[]) {
    this.#heaps = parts.map((part) => ({
      parts: [part],
      cause: part.judged.cause,
      inbound: part.inbound,
      size: part.sockets.size,
    }));
    this.#sort();
  }

  #sort(): void {
    this.#heaps.sort((a, b) => b.size - a.size);
  }

  size(of: (heap: Heap) => boolean): number {
    return this.#heaps.reduce((sum, heap) => sum + (of(heap) ? heap.size : 0), 0);
  }

  /** Puts each heap on the largest that it belongs to. */
  join(belongs: (heap: Heap, to: Heap) => boolean): void {
    for (const heap of [...this.#heaps].reverse()) {
      const target = this.#heaps.find((it) => it !== heap && belongs(heap, it));
      if (!target) continue;
      target.parts.push(...heap.parts);
      target.size += heap.size;
      this.#heaps = this.#heaps.filter((it) => it !== heap);
    }
    this.#sort();
  }

  withYoung(young: Lot[]): Merged[] {
    const merged = this.#heaps.map((heap) => {
      const joining = young.filter(({ inbound }) => this.#heaps.find((it) => it.inbound === inbound) === heap);
      return mergedOf(heap, joining);
    });
    const alone = young.filter(({ inbound }) => !this.#heaps.some((it) => it.inbound === inbound));
    return alone.length > 0 ? [...merged, { lots: alone }] : merged;
  }
}

/** What holds for so large a share is said of all, as surely as of these. */
const NEARLY_ALL = 0.8;

function mergedOf({ parts, cause, size }: Heap, young: Lot[]): Merged {
  const [only] = parts;
  if (only && parts.length === 1 && young.length === 0) return { ...only, lots: [only] };
  const same = parts.filter((part) => part.judged.cause === cause).sort((a, b) => b.sockets.size - a.sockets.size);
  const proven = same.filter(({ judged }) => judged.confidence === 'proven');
  const provenShare = proven.reduce((sum, { sockets }) => sum + sockets.size, 0) / size;
  const told = (provenShare >= NEARLY_ALL ? proven[0] : same[0]) ?? parts[0];
  const lots = [...parts, ...young];
  if (!told) return { lots };
  const confidence =
    told.judged.confidence === 'proven' && provenShare < NEARLY_ALL ? ('likely' as const) : told.judged.confidence;
  return { lots, judged: { ...told.judged, confidence } };
}
