import type { Case, Evidence, Pattern } from '../model/finding.ts';
import { SocketRows, type Sockets, UNKNOWN } from '../model/socket-table.ts';
import { formatDuration, formatNumber, plural } from '../model/words.ts';
import { agesOf, isFalling, stuckAges } from './ages.ts';

// How stuck sockets came, from their ages at one moment. Two assumptions: what arrives stays (a program that closes after all,
// only late, looks as if it had begun later), and arrivals that have no pattern are a Poisson process. Each limit is chosen so
// that random arrivals without that pattern are taken for it in less than 1 case of 100; test/diagnose/patterns.test.ts counts.

export type Found = { patterns: Pattern[]; evidence: Evidence[] };

/** Fewer say nothing of how they came. */
const FEWEST = 10;
/** The share of the stuck sockets whose age must be known. */
const MOSTLY = 0.8;

/** Takes the sockets of a case; those younger than the limit may still be closed, and are left out. */
export function patternsOf({ sockets, direction }: Pick<Case, 'sockets' | 'direction'>, stuckAfterMs: number): Found {
  const { table, rows } = SocketRows.of(sockets);
  const { ages: stuckOnes, places } = stuckAges(SocketRows.of(sockets), stuckAfterMs);
  if (stuckOnes.length < MOSTLY * sockets.length) return NOTHING;
  const peers = places.map((place) => table.peer[rows[place] ?? 0] ?? 0);
  const probe = probeOf({ ages: stuckOnes, peers, addresses: table.addresses }, direction === 'outbound');
  const ages = oldestFirst(stuckOnes);
  const shape = burstOf(ages) ?? trendOf(ages, stuckAfterMs);
  // That a probe comes steadily is said with its period.
  const found = [probe, probe && shape?.pattern === 'steady' ? undefined : shape].filter((it) => it !== undefined);
  return { patterns: found.map(({ pattern }) => pattern), evidence: found.map(({ evidence }) => evidence) };
}

/** Ages, and at the same places the numbers of the peers' addresses. */
type Arrivals = { ages: Uint32Array; peers: Uint32Array; addresses: readonly string[] };
type One = { pattern: Pattern; evidence: Evidence };
const NOTHING: Found = { patterns: [], evidence: [] };

/** They mostly are in this order already. An array of numbers alone sorts without a function that compares. */
function oldestFirst(ages: Uint32Array): Uint32Array {
  return isFalling(ages) ? ages : ages.slice().sort().reverse();
}

/** A burst is one moment: all but a few within this share of the time since, or this time. */
const BURST_SHARE = 0.02;
const BURST_MS = 1000;
const ALL_BUT_A_FEW = 0.9;
const AT_ONCE_MS = 100;

/** The shortest span that holds nearly all of them. That 9 of 10 random ones fall into a fiftieth has a chance below 1e-13. */
function burstOf(ages: Uint32Array): One | undefined {
  const [oldest = 0] = ages;
  const needed = Math.ceil(ALL_BUT_A_FEW * ages.length);
  if (ages.length < FEWEST) return undefined;
  for (let i = 0; i + needed <= ages.length; i++) {
    const first = ages[i] ?? 0;
    const last = ages[i + needed - 1] ?? 0;
    const span = first - last;
    if (span > BURST_SHARE * first || (span > BURST_MS && first < oldest * ALL_BUT_A_FEW)) continue;
    if (last < BURST_MS) continue;
    return {
      pattern: 'burst',
      evidence: {
        fact: `${formatNumber(needed)} of ${formatNumber(ages.length)} came ${span < AT_ONCE_MS ? 'at once' : `within ${formatDuration(span)}`}, ${formatDuration(last)} ago`,
        says: 'one event: a restart of the peer, a deployment, a network that broke',
      },
    };
  }
  return undefined;
}

/** For a trend more are needed: with fewer than these a doubled rate is not told from an even one. */
const FEWEST_FOR_A_TREND = 20;
/** One-sided chance 0.1 % of a standard normal variable. */
const SIGNIFICANT = 3.1;
/** Between these an even rate is plausible: two-sided 20 %, so that what is called steady is not just too few to tell. */
const EVEN = 1.28;
/** A pause of so many mean gaps has a probability of exp(-7) = 0.1 % when the rate is even. */
const PAUSE_IN_GAPS = 7;
/** What has paused for less may go on any moment, however fast it came. */
const SHORTEST_PAUSE_MS = 60_000;

/**
 * The rate over the time since the oldest. Laplace's test: under an even rate the arrivals after the first are spread evenly,
 * so their mean is normal around the middle with a variance of T²/12n.
 */
function trendOf(ages: Uint32Array, stuckAfterMs: number): One | undefined {
  const [oldest = 0] = ages;
  const youngest = ages.at(-1) ?? 0;
  if (ages.length < FEWEST) return undefined;
  const meanGapMs = (oldest - youngest) / (ages.length - 1);
  const pauseMs = youngest - stuckAfterMs;
  if (pauseMs > PAUSE_IN_GAPS * meanGapMs && pauseMs > SHORTEST_PAUSE_MS) {
    return {
      pattern: 'plateau',
      evidence: {
        fact: `none came in the last ${formatDuration(youngest)}, before that ${formatNumber(ages.length)} within ${formatDuration(oldest - youngest)}`,
        says: 'it has stopped growing: what led to them is over, or a limit is reached',
      },
    };
  }
  const window = oldest - stuckAfterMs;
  if (ages.length < FEWEST_FOR_A_TREND || window <= 0) return undefined;
  const later = ages.length - 1;
  let sum = 0;
  let late = 0;
  for (let i = 1; i < ages.length; i++) {
    const at = (oldest - (ages[i] ?? 0)) / window;
    sum += at;
    if (at > 0.5) late++;
  }
  const deviation = (sum / later - 0.5) * Math.sqrt(12 * later);
  if (deviation > SIGNIFICANT) {
    return {
      pattern: 'accelerating',
      evidence: {
        fact: `${formatNumber(late)} of ${formatNumber(ages.length)} came in the later half of ${formatDuration(window)}`,
        says: 'they come faster and faster',
      },
    };
  }
  if (Math.abs(deviation) > EVEN) return undefined;
  return {
    pattern: 'steady',
    evidence: {
      fact: `about one every ${formatDuration(window / ages.length)} over ${formatDuration(window)}`,
      says: 'they come at an even rate: part of the normal work leads to them',
    },
  };
}

/** Shorter periods are no health check. */
const SHORTEST_PERIOD_MS = 500;
/** How far a gap may be from its period, or from a small multiple of it when a check between was closed in time. */
const JITTER = 0.1;
const MOST_MISSED = 3;
/** So many gaps must fit: of random ones 8 of 100 fit the median gap, so 80 % of 7 or more do with a chance below 1e-4. */
const FITTING = 0.8;
const FEWEST_OF_A_PROBE = 8;

/** One peer that comes at a fixed interval, and is most of what comes. */
function probeOf({ ages, peers, addresses }: Arrivals, outbound: boolean): One | undefined {
  const periodic = agesByFrequentPeer(ages, peers, addresses.length).flatMap(({ peer, ages }) => {
    const periodMs = periodOf(ages);
    return periodMs === undefined ? [] : [{ address: addresses[peer] ?? '', periodMs, count: ages.length }];
  });
  const [first] = periodic.sort((a, b) => b.count - a.count);
  const count = periodic.reduce((sum, it) => sum + it.count, 0);
  if (!first || count < MOSTLY * ages.length) return undefined;
  const others = periodic.length > 1 ? ` and ${plural(periodic.length - 1, 'more address', 'more addresses')}` : '';
  return {
    pattern: 'probe',
    evidence: {
      fact: `one every ${formatDuration(first.periodMs)} ${outbound ? 'to' : 'from'} ${first.address}${others}`,
      says: outbound
        ? 'so regular is a timer of this program: what it runs leaves a connection behind each time'
        : 'so regular is a health check, a scrape or a timer: it shows the fault, and is not the cause of it',
    },
  };
}

/** Of 100,000 clients none may come so often. The ages of one are in the order of all. */
function agesByFrequentPeer(ages: Uint32Array, peers: Uint32Array, all: number): { peer: number; ages: Uint32Array }[] {
  const counts = new Uint32Array(all);
  countInto(counts, peers);
  const places = new Uint32Array(all);
  let end = 0;
  for (let peer = 0; peer < all; peer++) {
    end += counts[peer] ?? 0;
    places[peer] = end;
  }
  const sorted = new Uint32Array(ages.length);
  fillFromBehind(sorted, places, ages, peers);
  const found: { peer: number; ages: Uint32Array }[] = [];
  for (let peer = 0; peer < all; peer++) {
    const count = counts[peer] ?? 0;
    const from = places[peer] ?? 0;
    if (count >= FEWEST_OF_A_PROBE) found.push({ peer, ages: sorted.subarray(from, from + count) });
  }
  return found;
}

function countInto(counts: Uint32Array, peers: Uint32Array): void {
  for (let i = 0; i < peers.length; i++) counts[peers[i] ?? 0] = (counts[peers[i] ?? 0] ?? 0) + 1;
}

/** `places` are where those of each peer end, and then where they begin. */
function fillFromBehind(sorted: Uint32Array, places: Uint32Array, ages: Uint32Array, peers: Uint32Array): void {
  for (let i = ages.length - 1; i >= 0; i--) {
    const peer = peers[i] ?? 0;
    const place = (places[peer] ?? 0) - 1;
    places[peer] = place;
    sorted[place] = ages[i] ?? 0;
  }
}

function periodOf(ages: Uint32Array): number | undefined {
  const sorted = oldestFirst(ages);
  // Half of the gaps are at least the median, so it is at most twice the mean.
  const span = (sorted[0] ?? 0) - (sorted.at(-1) ?? 0);
  if (2 * span < SHORTEST_PERIOD_MS * (ages.length - 1)) return undefined;
  const gaps = sorted.subarray(1).map((age, i) => (sorted[i] ?? age) - age);
  const median = gaps.slice().sort()[gaps.length >> 1] ?? 0;
  if (median < SHORTEST_PERIOD_MS) return undefined;
  const fits = gaps.filter((gap) => {
    const times = Math.round(gap / median);
    return times >= 1 && times <= MOST_MISSED && Math.abs(gap - times * median) <= JITTER * median;
  }).length;
  const single = gaps.filter((gap) => Math.abs(gap - median) <= JITTER * median).length;
  return fits >= FITTING * gaps.length && single >= gaps.length / 2 ? median : undefined;
}

/** Whether they come one after the other until now, so that there will be more; a few say nothing. */
export function isGrowing(sockets: Sockets): boolean {
  const ages = oldestFirst(agesOf(SocketRows.of(sockets)).known.filter((age) => age !== UNKNOWN));
  const [oldest] = ages;
  const youngest = ages.at(-1);
  if (oldest === undefined || youngest === undefined || ages.length < FEWEST) return false;
  if (burstOf(ages)) return false;
  return youngest <= PAUSE_IN_GAPS * ((oldest - youngest) / (ages.length - 1));
}
