import type { Arrivals, Case } from '../model/finding.ts';
import { SocketRows } from '../model/socket-table.ts';
import { stuckAges } from './ages.ts';

/** Fewer sockets than this say nothing about a rate: with 10 its 95 % interval still spans half to twice (Poisson). */
const FEWEST = 10;
/** The share of stuck sockets whose age must be known: the others are taken to have come like them. */
const MOSTLY = 0.8;
/** A rate from less time than this is told by the chance of a few seconds. */
const SHORTEST_WINDOW_MS = 60_000;
/**
 * With steady random arrivals a pause longer than 5 mean gaps has a probability of exp(-5) = 0.7 %. After such a pause
 * the sockets are taken as the rest of something that is over, and no rate is given.
 */
const PAUSE_IN_GAPS = 5;

/**
 * How fast the stuck sockets of a case come (it has the oldest first): their number over the time since the oldest. The ages of
 * what is left are a sample of the arrivals, if what arrives stays; sockets that were closed in time are not seen, and so not
 * counted as leak. Undefined when too few ages are known, all are young, or nothing has arrived for long.
 */
export function arrivalsOf(
  subject: Pick<Case, 'sockets' | 'stuck' | 'maybeStuck'>,
  stuckAfterMs: number,
): Arrivals | undefined {
  const { ages } = stuckAges(SocketRows.of(subject.sockets), stuckAfterMs);
  const count = ages.length;
  if (count < FEWEST || count < MOSTLY * (subject.stuck + subject.maybeStuck)) return undefined;
  const [oldest = 0] = ages;
  const youngest = ages.at(-1) ?? 0;
  // Younger ones than the limit are left out, so the time that was watched ends there.
  const windowMs = oldest - stuckAfterMs;
  if (windowMs < SHORTEST_WINDOW_MS) return undefined;
  const meanGapMs = (oldest - youngest) / (count - 1);
  if (youngest - stuckAfterMs > PAUSE_IN_GAPS * meanGapMs) return undefined;
  return { perHour: ((subject.stuck + subject.maybeStuck) / windowMs) * 3600_000, windowMs };
}
