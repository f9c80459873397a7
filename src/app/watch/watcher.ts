import { setTimeout as sleep } from 'node:timers/promises';
import { socketRows } from '../../diagnose/socket-rows.ts';
import type { Machine } from '../../kernel/machine.ts';
import { ParseError, SystemError, UnclosedError } from '../../model/errors.ts';
import type { Finding, SocketRow } from '../../model/finding.ts';
import type { OwnLoad, WatchFrame } from '../../model/watch.ts';
import type { Filter } from '../filter.ts';
import { type Where, withSource } from '../look.ts';
import { type LookOptions, lookAt } from '../look-at.ts';
import { liveMachine } from '../machine.ts';
import { Memory } from '../memory.ts';
import { older, type Seen } from './older.ts';
import { Passes } from './passes.ts';
import { step, type WatchState } from './state.ts';
import { type OpenTrace, openTrace, type TraceChoice } from './trace.ts';
import type { Until } from './until.ts';

/** The ring of entries and exits is emptied so often: with 40,000 in a second it is a third full by then. */
const DRAIN_MS = 250;
/** Where nobody has said how often to look, the looks take at most this share of a core, but are not further apart than this. */
const MOST_CPU_SHARE = 0.015;
const LONGEST_SPARING_MS = 10_000;
/** The first looks are dearer than those that come, for nothing is compiled yet. */
const WARM_UP = 5;

/** From so many sockets in CLOSE_WAIT on, what entries and exits do not tell of may be so old: Recv-Q, descriptors in use, totals. */
const MANY = 2000;
const LONGEST_SAME_MS = 15_000;

/** Of a connection that came and went it is known who closed it, and not between which ends it was. */
const NOT_BY_SOCKET = {
  kind: 'polls',
  refused: 'with a filter by port, peer, namespace or family only looks are compared',
} as const;

const filtersSockets = ({ port, peer, netns, family }: Filter): boolean =>
  [port, peer, netns, family].some((value) => value !== undefined);

export type WatchOptions = LookOptions & Omit<Where, 'from'> & { trace?: TraceChoice };

/** The sockets of a finding, the oldest first, with their holders, as they were at the last full look. */
export const socketsOf = (finding: Finding): SocketRow[] => socketRows({ findings: [finding] });

/** Looks at one machine again and again, and listens in between. */
export class Watcher {
  readonly #machine: Machine;
  readonly #options: WatchOptions;
  #trace: OpenTrace;
  readonly #drain: NodeJS.Timeout | undefined;
  readonly #passes = new Passes();
  /** What was seen at the last full look. */
  #seen: Seen | undefined;
  #filter: Filter;
  #memory = new Memory();
  #state: WatchState | undefined;
  #load = { cpuMs: 0, at: 0 };
  #costs: readonly number[] = [];

  private constructor(machine: Machine, options: WatchOptions, trace: OpenTrace) {
    this.#machine = machine;
    this.#options = withSource(options);
    this.#filter = options.filter ?? {};
    this.#trace = trace;
    const { source } = trace;
    if (source) this.#drain = setInterval(() => this.#listen(), DRAIN_MS).unref();
  }

  static async open(options: WatchOptions): Promise<Watcher> {
    const machine = await liveMachine(options.source);
    return new Watcher(machine, options, await openTrace(options.trace ?? 'auto'));
  }

  /** What is shown from the next look on. What came before is not compared with it. */
  set filter(filter: Filter) {
    this.#filter = filter;
    this.#memory = new Memory();
    this.#seen = undefined;
    if (this.#state) this.#state = { ...this.#state, rows: new Map(), isFirst: true };
  }

  /** How far looks must be apart to be cheap, as the last of them tell: the median, for one may be disturbed. */
  get sparingMs(): number {
    if (this.#costs.length < WARM_UP) return 0;
    const median = this.#costs.toSorted((a, b) => a - b)[WARM_UP >> 1] ?? 0;
    return Math.min(median / MOST_CPU_SHARE, LONGEST_SPARING_MS);
  }

  look(): WatchFrame {
    const before = cpuMs();
    this.#listen();
    const { source, trace } = this.#trace;
    const lost = source?.takeLost() ?? false;
    const filter = this.#filter;
    const isSame = source !== undefined && !lost && this.#passes.areAllGone;
    const { snapshot, diagnosis } = (isSame && this.#stillSeen()) || this.#lookAnew();
    const passed = this.#passes.atLook((inode) => this.#memory.has(inode));
    const bySocket = filtersSockets(filter);
    this.#state = step(this.#state, {
      at: snapshot.takenAt,
      snapshot,
      diagnosis,
      passed: bySocket ? new Map() : passed,
      wholeMachine: Object.keys(filter).length === 0,
      trace: { ...(bySocket ? NOT_BY_SOCKET : trace), lost },
      own: this.#ownLoad(snapshot.takenAt),
    });
    this.#costs = [...this.#costs, cpuMs() - before].slice(-WARM_UP);
    return this.#state.frame;
  }

  /** Where there are few, or it was long ago, looking anew is cheap enough, and tells what no entry or exit tells of. */
  #stillSeen(): Seen | undefined {
    const seen = this.#seen;
    if (!seen || seen.diagnosis.totals.closeWait < MANY) return undefined;
    const laterMs = this.#machine.now() - seen.snapshot.takenAt;
    return laterMs >= 0 && laterMs <= LONGEST_SAME_MS ? older(seen, laterMs) : undefined;
  }

  #lookAnew(): Seen {
    const filter = this.#filter;
    const options = { ...this.#options, filter, young: true, memory: this.#memory };
    const { snapshot, diagnosis } = lookAt(this.#machine, { ...options, ...(filter.pids && { pids: filter.pids }) });
    this.#seen = { snapshot, diagnosis };
    return this.#seen;
  }

  /** A source that fails, as an instance of tracefs that somebody else removes, leaves the comparison of looks. */
  #listen(): void {
    const { source } = this.#trace;
    try {
      source?.drain(this.#passes);
    } catch (error) {
      if (!(error instanceof SystemError || error instanceof ParseError)) throw error;
      source?.close();
      this.#trace = { trace: { kind: 'polls', refused: error.message } };
    }
  }

  #ownLoad(at: number): OwnLoad {
    const before = this.#load;
    this.#load = { cpuMs: cpuMs(), at };
    const residentBytes = process.memoryUsage.rss();
    if (before.at === 0 || at <= before.at) return { residentBytes };
    return { residentBytes, cpuShare: (this.#load.cpuMs - before.cpuMs) / (at - before.at) };
  }

  /** Nothing of it is left in the kernel. */
  close(): void {
    clearInterval(this.#drain);
    this.#trace.source?.close();
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

export type Pace = {
  /** Between two looks. */
  intervalMs: number;
  /** Look less often where a look is dear. */
  sparing: boolean;
  forMs?: number;
  until?: Until;
  /** Ends the watch. */
  end: AbortSignal;
  /** Aborted to look at once; a new one is asked for at every pause. */
  wake?: () => AbortSignal;
  /** Takes what a later look says when the processes that were asked for are gone, and the watch goes on. */
  missed?: (error: UnclosedError) => void;
};

/** Why a watch has ended: `until` holds, its time is over, somebody ended it, or the processes that were watched are gone. */
export type WatchEnd = 'reached' | 'over' | 'ended' | 'gone';

/** Looks at the pace until the end, and hands each frame on. */
export async function watch(
  watcher: Watcher,
  pace: Pace,
  show: (frame: WatchFrame) => void | Promise<void>,
): Promise<WatchEnd> {
  const begun = performance.now();
  const deadline = pace.forMs === undefined ? Number.POSITIVE_INFINITY : begun + pace.forMs;
  for (let first = true; ; first = false) {
    const at = performance.now();
    const frame = lookOrMiss(watcher, pace, first);
    if (frame === 'gone') return frame;
    if (frame) await show(frame);
    if (frame && pace.until?.holds(frame)) return 'reached';
    const next = at + Math.max(pace.intervalMs, pace.sparing ? watcher.sparingMs : 0);
    // The last look is at the end of the time, or so near to it that another one would tell nothing.
    if (deadline - at < pace.intervalMs / 10) return 'over';
    await pause(Math.min(next, deadline) - performance.now(), pace);
    if (pace.end.aborted) return 'ended';
  }
}

function lookOrMiss(watcher: Watcher, { missed }: Pace, first: boolean): WatchFrame | 'gone' | undefined {
  try {
    return watcher.look();
  } catch (error) {
    if (first || !isGone(error)) throw error;
    if (!missed) return 'gone';
    missed(error);
    return undefined;
  }
}

/** The processes that were asked for have ended, which a later look says with these codes. */
const isGone = (error: unknown): error is UnclosedError =>
  error instanceof UnclosedError && (error.code === 'NO_SUCH_PROCESS' || error.code === 'NOTHING_MATCHES');

async function pause(milliseconds: number, { end, wake }: Pace): Promise<void> {
  const signal = wake ? AbortSignal.any([end, wake()]) : end;
  try {
    await sleep(Math.max(0, milliseconds), undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
