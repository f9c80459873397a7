import {
  type Arrivals,
  type Case,
  type Cause,
  DEFAULT_LIMITS,
  type Diagnosis,
  type Evidence,
  type Finding,
  type Limits,
  type NextStep,
  type Severity,
  type Verdict,
} from '../model/finding.ts';
import type { Inside } from '../model/inside.ts';
import type { Process } from '../model/process.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { SocketRows } from '../model/socket-table.ts';
import { nextSteps } from './advice/index.ts';
import { lookInside } from './advice/steps.ts';
import { ageAtLeast, ageSpanOf } from './ages.ts';
import { arrivalsOf } from './arrivals.ts';
import { correlateAndJudge } from './correlate.ts';
import { ageEvidence, answerEvidence, holderEvidence, receiveQueueEvidence, threadEvidence } from './evidence.ts';
import { forecastOf } from './forecast.ts';
import { codeOf } from './inside/code.ts';
import { judgeInside } from './inside/judge.ts';
import { stepsInCode, stepsInside } from './inside/steps.ts';
import { Ties, tiesOfCase } from './inside/ties.ts';
import { StrandWords } from './inside/words.ts';
import type { Judged, JudgedCase } from './judged.ts';
import { type Found, patternsOf } from './patterns.ts';
import { RULES } from './rules/index.ts';
import { judgeSeverity, rankOf, worst } from './severity.ts';

/** Says what is stuck in a snapshot, since when, how bad it is, and what to do. Pure: the same snapshot, the same answer. */
export function diagnose(
  snapshot: Snapshot,
  limits: Limits = DEFAULT_LIMITS,
  inside: ReadonlyMap<number, Inside> = new Map(),
): Diagnosis {
  const ties = tiesOf(snapshot, inside);
  const judgedCases = correlateAndJudge(snapshot, limits.stuckAfterMs, (subject) => causeOf(subject, snapshot, ties));
  const cases = judgedCases.map(({ subject }) => subject);
  const held = heldByProcess(cases);
  const findings = judgedCases.map((it) => findingOf(it, snapshot, limits, held, ties));
  findings.sort(
    (a, b) => rankOf(b.severity) - rankOf(a.severity) || concerned(b.subject) - concerned(a.subject) || inOrder(a, b),
  );
  const closedButHeld =
    snapshot.closedButHeldAtMost !== undefined &&
    snapshot.closedButHeldAtMost === (snapshot.closedButHeld?.length ?? -1)
      ? snapshot.closedButHeldAtMost
      : snapshot.closedButHeld?.length || undefined;
  return {
    status: worst(findings.map(({ severity }) => severity)),
    findings,
    totals: {
      closeWait: sum(cases, ({ sockets }) => sockets.length),
      stuck: sum(cases, ({ stuck }) => stuck),
      maybeStuck: sum(cases, ({ maybeStuck }) => maybeStuck),
      ...(closedButHeld !== undefined && { closedButHeld }),
    },
    gaps: snapshot.gaps,
  };
}

const sum = <T>(values: T[], of: (value: T) => number): number => values.reduce((total, value) => total + of(value), 0);

const concerned = ({ stuck, maybeStuck, closedFds, sockets }: Case): number =>
  stuck + maybeStuck + closedFds || sockets.length / 1e6;

const inOrder = (a: Finding, b: Finding): number => (a.subject.process?.pid ?? 0) - (b.subject.process?.pid ?? 0);

function findingOf(
  { subject, judged: verdict }: JudgedCase,
  snapshot: Snapshot,
  limits: Limits,
  held: Map<Process, number>,
  ties: ReadonlyMap<number, Ties>,
): Finding {
  const { cause, confidence, evidence } = verdict;
  const age = agesOf(subject);
  const arrivals = arrivalsIn(subject, limits);
  const pattern = subject.kind === 'held' && cause !== 'churn' ? patternsOf(subject, limits.stuckAfterMs) : NO_PATTERN;
  const budget = fdsOf(subject);
  const forecast = forecastOf(subject, cause, budget, arrivals, snapshot);
  const fullInMs = forecast.find(({ resource }) => resource === 'descriptors')?.inMs;
  const fds = budget && { ...budget, ...(fullInMs !== undefined && { fullInMs }) };
  const inAll = subject.kind !== 'backlog' && subject.process ? (held.get(subject.process) ?? 0) : 0;
  const alsoHeld = Math.max(0, inAll - heldIn(subject));
  const facts = { cause, ...(age && { age }), ...(fds && { fds }) };
  const judged = judgeSeverity(subject, { ...facts, patterns: pattern.patterns }, limits, alsoHeld);
  // Whether young sockets are on their way out is no longer the question when they have filled the table.
  const tooMany = cause === 'churn' && judged.severity !== 'ok';
  const told = tooMany ? 'unknown' : cause;
  const within = tiesOfCase(subject, ties);
  const code = within && codeOf(subject, told, within, new StrandWords(snapshot));
  return {
    ...judged,
    confidence: tooMany ? 'undecided' : confidence,
    patterns: pattern.patterns,
    subject,
    ...facts,
    cause: told,
    ...(arrivals && { arrivals }),
    forecast,
    ...(code && code.length > 0 && { code }),
    evidence: once([
      ...evidence,
      ...receiveQueueEvidence(subject),
      ...(cause === 'half-close' ? [] : answerEvidence(subject)),
      ...holderEvidence(subject, cause),
      ...pattern.evidence,
      ...threadEvidence(subject, cause),
      ...ageEvidence(subject),
    ]),
    next: [
      ...stepsInCode(told, code),
      ...stepsOf(told, subject, snapshot, judged.severity, within?.inside),
      ...(judged.severity === 'ok' ? [] : relief(subject, snapshot)),
    ],
  };
}

/** Where somebody must act, the code is the next question, unless it was just asked. */
function stepsOf(
  cause: Cause,
  subject: Case,
  { reading, source }: Snapshot,
  severity: Severity,
  inside: Inside | undefined,
): NextStep[] {
  const isLook = ({ command }: NextStep): boolean => command?.startsWith('unclosed inspect') === true;
  const steps = (cause === 'stalled' && inside && stepsInside(inside)) || nextSteps(cause, subject, reading.asRoot);
  if (inside) return steps.filter((it) => !isLook(it));
  return severity === 'ok' || source.kind === 'capture' || steps.some(isLook)
    ? steps
    : [...steps, ...lookInside(subject.process)];
}

/** Of a machine that can still be reached. */
const relief = ({ process, sockets }: Case, { source }: Snapshot): NextStep[] =>
  process && sockets.length > 0 && source.kind === 'live'
    ? [{ command: `unclosed relieve ${process.pid}`, why: 'what would help now, and what would not (a dry run)' }]
    : [];

const NO_PATTERN: Found = { patterns: [], evidence: [] };

/** A fact that several saw is told once, as the first of them did. */
function once(evidence: Evidence[]): Evidence[] {
  const facts = new Set<string>();
  return evidence.filter(({ fact }) => !facts.has(fact) && facts.add(fact));
}

/** Descriptors that a case accounts for: stuck or closed. An accept queue has none. */
const heldIn = ({ kind, stuck, maybeStuck, closedFds }: Case): number =>
  kind === 'backlog' ? 0 : stuck + maybeStuck + closedFds;

function heldByProcess(cases: Case[]): Map<Process, number> {
  const held = new Map<Process, number>();
  for (const subject of cases) {
    if (subject.process) held.set(subject.process, (held.get(subject.process) ?? 0) + heldIn(subject));
  }
  return held;
}

/** What the program says of itself, where it was looked into, outweighs what the rules conclude from outside. */
function causeOf(subject: Case, snapshot: Snapshot, ties: ReadonlyMap<number, Ties>): Judged {
  const outside = causeFromOutside(subject, snapshot);
  const within = tiesOfCase(subject, ties);
  return within ? judgeInside(subject, within, outside) : outside;
}

function tiesOf({ processes }: Snapshot, inside: ReadonlyMap<number, Inside>): ReadonlyMap<number, Ties> {
  const ties = new Map<number, Ties>();
  for (const [pid, seen] of inside) {
    const process = processes.get(pid);
    if (process) ties.set(pid, new Ties(process, seen));
  }
  return ties;
}

/** The first rule that says yes. Without one the cause stays unknown, with what the undecided ones saw. */
function causeFromOutside(subject: Case, snapshot: Snapshot): Judged {
  const undecided: Evidence[] = [];
  for (const { cause, judge } of RULES) {
    const verdict: Verdict = judge(subject, snapshot);
    if (verdict.kind === 'yes') return { cause, confidence: verdict.confidence, evidence: verdict.evidence };
    if (verdict.kind === 'undecided') undecided.push(...verdict.evidence);
  }
  return { cause: 'unknown', confidence: 'undecided', evidence: undecided };
}

/** The sockets of a case are sorted, the oldest first, so those of unknown age (0) come last. */
function agesOf(subject: Case): Finding['age'] {
  const sockets = SocketRows.of(subject.sockets);
  const { known, atMostMs, exact } = ageSpanOf(sockets);
  const [oldest, median, youngest] = [sockets.at(0), sockets.at(known >> 1), sockets.at(known - 1)];
  if (known === 0 || !oldest || !median || !youngest) return undefined;
  return {
    oldestMs: ageAtLeast(oldest),
    oldestAtMostMs: atMostMs,
    medianMs: ageAtLeast(median),
    youngestMs: ageAtLeast(youngest),
    exact,
  };
}

/** A full accept queue takes nothing more in, so what has come says nothing about what would come. */
function arrivalsIn(subject: Case, { stuckAfterMs }: Limits): Arrivals | undefined {
  const { kind, listener } = subject;
  const full = listener?.limit === undefined || listener.queue > listener.limit;
  return kind === 'backlog' && full ? undefined : arrivalsOf(subject, stuckAfterMs);
}

/** The descriptor budget of the holder. */
function fdsOf({ kind, process }: Case): Finding['fds'] {
  if (kind === 'backlog' || process?.openFds === undefined) return undefined;
  const { openFds: open, fdLimit } = process;
  return { open, ...(fdLimit !== undefined && Number.isFinite(fdLimit) && { limit: fdLimit }) };
}
