import type { Case, Diagnosis, Finding } from '../../model/finding.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { OwnLoad, Trace, WatchEvent, WatchFrame, WatchRow } from '../../model/watch.ts';
import { formatEndpoint, formatNumber } from '../../model/words.ts';
import { changesOf, type Told, toldNow } from './changes.ts';
import { addInterval, type FlowWindow, flowOf } from './flow.ts';
import { compare, NO_SOCKETS, newSockets, type SocketIds, socketIds } from './sockets.ts';

/** Looks that a history remembers: four minutes at the usual interval of 2 s. */
const HISTORY = 120;
/** Changes that the log remembers. */
const LOG = 200;
/** A row of which nothing is left stays so long: what comes and goes must not flicker. */
const STAYS_MS = 60_000;

/** One look, and what is known of the time since the one before. */
export type Sight = {
  at: number;
  snapshot: Snapshot;
  diagnosis: Diagnosis;
  /** Connections that came and went since, by the process that closed them. */
  passed: ReadonlyMap<number, number>;
  /** Whether those of processes that have no row were asked for too. */
  wholeMachine: boolean;
  trace: Trace;
  own: OwnLoad;
};

type RowState = { row: WatchRow; ids: SocketIds; window: FlowWindow; told: Told; seenAt: number };

/** Everything that one look leaves to the next. Its size depends on what is stuck now, and not on how long it has run. */
export type WatchState = {
  frame: WatchFrame;
  rows: ReadonlyMap<string, RowState>;
  elsewhere: FlowWindow;
  /** What is shown has been changed: the next look starts afresh, and only the log goes on. */
  isFirst?: true;
};

type Step = { at: number; ms: number | undefined; passed: Map<number, number> };

/** From the state before and a new look to the state after it. Pure. */
export function step(before: WatchState | undefined, sight: Sight): WatchState {
  const { at, snapshot, diagnosis, trace, own } = sight;
  const ms = before && !before.isFirst ? Math.max(1, at - before.frame.at) : undefined;
  const passing: Step = { at, ms, passed: new Map(sight.passed) };
  const rows = new Map<string, RowState>();
  const events: WatchEvent[] = [];
  for (const finding of diagnosis.findings) {
    const key = keyOf(finding);
    if (rows.has(key)) continue;
    rows.set(key, stepRow(before?.rows.get(key), key, finding, passing, events));
  }
  for (const [key, known] of before?.rows ?? []) {
    if (!rows.has(key) && at - known.seenAt < STAYS_MS) rows.set(key, stepGone(known, passing, events));
  }
  let elsewherePassed = 0;
  if (sight.wholeMachine) for (const count of passing.passed.values()) elsewherePassed += count;
  const elsewhere =
    ms === undefined
      ? []
      : addInterval(before?.elsewhere ?? [], { at, ms, entered: elsewherePassed, left: elsewherePassed });
  const frame: WatchFrame = {
    at,
    ...(ms !== undefined && { intervalMs: ms }),
    snapshot,
    diagnosis,
    rows: [...rows.values()].map(({ row }) => row),
    flow: total([...[...rows.values()].map(({ row }) => row.flow), flowOf(elsewhere)]),
    events,
    log: [...(before?.frame.log ?? []), ...events].slice(-LOG),
    trace,
    own,
  };
  return { frame, rows, elsewhere };
}

function stepRow(
  before: RowState | undefined,
  key: string,
  finding: Finding,
  { at, ms, passed }: Step,
  events: WatchEvent[],
): RowState {
  const { subject, severity, cause } = finding;
  const ids = socketIds(subject);
  const count = subject.sockets.length + subject.closedFds;
  const name = nameOf(finding);
  const old = before?.ids ?? NO_SOCKETS;
  const { entered, left } = ms === undefined ? { entered: 0, left: 0 } : compare(old, ids);
  const through = takePassed(passed, finding);
  const window =
    ms === undefined
      ? []
      : addInterval(before?.window ?? [], { at, ms, entered: entered + through, left: left + through });
  const arrived = entered > 0 ? newSockets(subject, old, entered) : [];
  // What was there at the first look is no news.
  const told = before?.told ?? toldNow(ms === undefined ? count : 0, at, ms === undefined ? severity : 'ok');
  const changes = changesOf(told, { at, count, finding, arrived });
  const isNew = ms !== undefined && !before && cause !== 'churn';
  const news = isNew
    ? [{ severity, what: `${formatNumber(count)} ${WHERE[subject.kind]}${severity === 'ok' ? '' : `, ${severity}`}` }]
    : changes.news;
  for (const change of news) events.push({ at, key, who: name, ...change });
  return {
    ids,
    window,
    seenAt: at,
    told: isNew ? toldNow(count, at, severity) : changes.told,
    row: { key, name, finding, count, history: addCount(before?.row.history, count), flow: flowOf(window) },
  };
}

/** Nothing of it is left, this time. */
function stepGone(known: RowState, { at, ms = 1, passed }: Step, events: WatchEvent[]): RowState {
  const { row, ids, told } = known;
  const { left } = compare(ids, NO_SOCKETS);
  const through = takePassed(passed, row.finding);
  const window = addInterval(known.window, { at, ms, entered: through, left: left + through });
  const changes = changesOf(told, { at, count: 0, finding: row.finding, arrived: [] });
  for (const change of changes.news) events.push({ at, key: row.key, who: row.name, ...change });
  return {
    ids: NO_SOCKETS,
    window,
    // While connections pass through, the row has something to say.
    seenAt: through > 0 ? at : known.seenAt,
    told: { ...changes.told, severity: 'ok' },
    row: {
      ...row,
      finding: withoutSockets(row.finding),
      count: 0,
      history: addCount(row.history, 0),
      flow: flowOf(window),
    },
  };
}

/** Sockets hold the answer of the kernel that they came with, which may be large; what is over must not keep it. */
function withoutSockets(finding: Finding): Finding {
  const { process, ...subject } = finding.subject;
  if (!process) return { ...finding, subject: { ...subject, sockets: [] } };
  const { sockets: _sockets, ...identity } = process;
  return { ...finding, subject: { ...subject, process: identity, sockets: [], coHolders: [] } };
}

function takePassed(passed: Map<number, number>, { subject: { kind, process } }: Finding): number {
  if (kind !== 'held' || !process) return 0;
  const count = passed.get(process.pid) ?? 0;
  passed.delete(process.pid);
  return count;
}

const addCount = (history: readonly number[] = [], count: number): readonly number[] => [
  ...history.slice(1 - HISTORY),
  count,
];

/** A pid may be given again, so the time of the start is part of the name. */
function keyOf({ subject }: Finding): string {
  const { kind, process, listener, uid, sockets } = subject;
  if (kind === 'backlog' && listener) return `backlog ${listener.netns} ${formatEndpoint(listener.local)}`;
  if (process) return `${kind} ${process.pid} ${process.startedAt ?? ''}`;
  return `${kind} ${sockets.at(0)?.netns ?? ''} ${uid ?? ''} ${sockets.at(0)?.local.port ?? ''}`;
}

const WHERE: Readonly<Record<Case['kind'], string>> = {
  held: 'in CLOSE_WAIT',
  backlog: 'in CLOSE_WAIT that nobody has accepted',
  unowned: 'in CLOSE_WAIT without a known holder',
  closed: 'descriptors of closed connections',
  counted: 'in CLOSE_WAIT',
};

function nameOf({ subject: { kind, process, listener, uid } }: Finding): string {
  if (kind === 'backlog' && listener) return `queue ${formatEndpoint(listener.local)}`;
  if (process) return `${process.name} ${process.pid}`;
  return uid === undefined ? 'nobody' : `nobody (uid ${uid})`;
}

function total(flows: WatchFrame['flow'][]): WatchFrame['flow'] {
  const sum = (of: (flow: WatchFrame['flow']) => number | undefined): number =>
    flows.reduce((all, flow) => all + (of(flow) ?? 0), 0);
  const known = flows.some(({ enteredPerMinute }) => enteredPerMinute !== undefined);
  return {
    entered: sum(({ entered }) => entered),
    left: sum(({ left }) => left),
    ...(known && {
      enteredPerMinute: sum(({ enteredPerMinute }) => enteredPerMinute),
      leftPerMinute: sum(({ leftPerMinute }) => leftPerMinute),
    }),
  };
}
