import { isHarmless, worst } from '../diagnose/severity.ts';
import type { CheckResult, CheckState, Measure, Metric } from '../model/check.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { Case, Diagnosis, Finding, Limits, Severity } from '../model/finding.ts';
import type { Gap } from '../model/snapshot.ts';
import { plural } from '../model/words.ts';
import { alerts, parseThresholds, type Thresholds } from '../parse/range.ts';
import { look } from './look.ts';
import type { Look } from './look-at.ts';

export type CheckOptions = Parameters<typeof look>[0] & { limits: Limits; warning: string[]; critical: string[] };

/** Looks, and judges it as a monitoring plugin does. */
export async function check({ warning, critical, limits, ...options }: CheckOptions): Promise<CheckResult> {
  const ranges = { warning: parseThresholds('-w', warning), critical: parseThresholds('-c', critical) };
  const seen = await look({ ...options, limits: withoutThose(limits, ranges) });
  return judge(seen, ranges, options.filter?.pids !== undefined);
}

type Ranges = Record<'warning' | 'critical', Thresholds>;

/** A range takes the place of the limits on the same thing; the others go on to hold. */
function withoutThose(limits: Limits, { warning, critical }: Ranges): Limits {
  const given = { ...warning, ...critical };
  const never = Number.POSITIVE_INFINITY;
  return {
    ...limits,
    ...(given.stuck && { warningSockets: never }),
    ...(given.age && { warningAgeMs: never, criticalAgeMs: never }),
    ...(given.fds && { criticalFdShare: never }),
  };
}

const STATE: Record<Severity, CheckState> = { ok: 'OK', warning: 'WARNING', critical: 'CRITICAL' };

/** The verdict on what was seen. `ofProcesses`: it was only asked for processes that could be read. */
export function judge({ snapshot, diagnosis }: Look, ranges: Ranges, ofProcesses: boolean): CheckResult {
  const findings = diagnosis.findings.filter(({ cause }) => cause !== 'churn');
  const measures = measuresOf(diagnosis, ranges);
  const crossed = measures.flatMap((measure) => crossedBy(measure));
  const severity = worst([diagnosis.status, ...crossed.map((it) => it.severity)]);
  const blind = severity === 'ok' ? snapshot.gaps.find((gap) => hides(gap, diagnosis, ofProcesses)) : undefined;
  if (blind) {
    const summary = `not everything could be seen: ${blind.what}; ${blind.remedy} [${blind.code}]`;
    return { state: 'UNKNOWN', summary, measures, findings };
  }
  const told = crossed.filter((it) => it.severity === severity).map(({ text }) => text);
  return { state: STATE[severity], summary: summaryOf(findings, severity, told), measures, findings };
}

/** What may hide sockets that nobody was told of. Descriptors that may not be read hide only whose a socket is. */
const HIDING: ReadonlySet<ErrorCode> = new Set(['NETNS_DENIED', 'NETNS_UNKNOWN', 'PROC_HIDDEN']);
const OF_OTHERS: ReadonlySet<ErrorCode> = new Set(['NETNS_UNKNOWN', 'PROC_HIDDEN']);

function hides({ code }: Gap, { findings, totals }: Diagnosis, ofProcesses: boolean): boolean {
  if (code === 'FDS_DENIED') return ofProcesses || findings.some(({ subject }) => subject.kind === 'unowned');
  // Without ages nothing is known to be stuck.
  if (code === 'NETLINK_UNAVAILABLE') return totals.maybeStuck > 0;
  return HIDING.has(code) && !(ofProcesses && OF_OTHERS.has(code));
}

function measuresOf({ findings, totals }: Diagnosis, { warning, critical }: Ranges): Measure[] {
  // What is harmless is no reason to wake somebody.
  const counted = findings.filter((finding) => !isHarmless(finding));
  const rangesOf = (metric: Metric): Pick<Measure, 'warning' | 'critical'> => ({
    ...(warning[metric] && { warning: warning[metric] }),
    ...(critical[metric] && { critical: critical[metric] }),
  });
  const stuck = counted.reduce((sum, { subject }) => sum + concernedIn(subject), 0);
  const oldest = counted.map(({ subject, age }) => (subject.stuck > 0 ? (age?.oldestMs ?? 0) : 0));
  // A table that harmless sockets fill up is full all the same.
  const share = descriptorShare(findings);
  return [
    { name: 'stuck', value: stuck, ...rangesOf('stuck') },
    { name: 'age', value: Math.floor(Math.max(0, ...oldest) / 1000), unit: 's', ...rangesOf('age') },
    { name: 'fds', ...(share !== undefined && { value: share }), unit: '%', most: 100, ...rangesOf('fds') },
    { name: 'close_wait', value: totals.closeWait },
    ...(totals.closedButHeld === undefined ? [] : [{ name: 'closed_but_held', value: totals.closedButHeld }]),
  ];
}

/** As the limit on the number counts: a socket whose age is hidden may be stuck as well. */
const concernedIn = ({ stuck, maybeStuck, closedFds }: Case): number => stuck + maybeStuck + closedFds;

/** Percent of its descriptor limit that the worst process has in CLOSE_WAIT, or of closed connections. */
function descriptorShare(findings: Finding[]): number | undefined {
  const used = new Map<number, { held: number; limit: number }>();
  let unknown = false;
  for (const finding of findings) {
    const { subject, fds } = finding;
    if (subject.kind === 'backlog') continue;
    if (!subject.process || fds?.limit === undefined) {
      unknown ||= !isHarmless(finding);
      continue;
    }
    const { pid } = subject.process;
    const held = (used.get(pid)?.held ?? 0) + subject.sockets.length + subject.closedFds;
    used.set(pid, { held, limit: fds.limit });
  }
  if (used.size === 0 && unknown) return undefined;
  const worstShare = Math.max(0, ...[...used.values()].map(({ held, limit }) => held / limit));
  return Math.round(worstShare * 1000) / 10;
}

function crossedBy({ name, value, unit, warning, critical }: Measure): { severity: Severity; text: string }[] {
  if (value === undefined) return [];
  const text = `${name} is ${value}${unit ?? ''}`;
  if (critical && alerts(critical, value)) return [{ severity: 'critical', text }];
  return warning && alerts(warning, value) ? [{ severity: 'warning', text }] : [];
}

/** The ranges that were left, then the worst finding, and how many more there are. */
function summaryOf(findings: Finding[], severity: Severity, crossed: string[]): string {
  const [worstOne, ...others] = findings;
  if (!worstOne) return [...crossed, 'nothing is stuck'].join('; ');
  const stuck = findings.reduce((sum, { subject }) => sum + concernedIn(subject), 0);
  if (severity === 'ok') return `${plural(stuck, 'connection')} stuck, and no limit is crossed`;
  const limits = worstOne.crossed.length > 0 ? `: ${worstOne.crossed.join(', ')}` : '';
  const more = others.length > 0 ? [plural(others.length, 'more finding')] : [];
  return [...crossed, `${describeFinding(worstOne)}${limits}`, ...more].join('; ');
}

/** A finding in a few words. */
export function describeFinding({ subject, cause }: Finding): string {
  const { process, uid, kind, sockets, closedFds } = subject;
  const nobody = uid === undefined ? 'no known process' : `no known process (uid ${uid})`;
  const who = process ? `${process.name} (pid ${process.pid})` : nobody;
  const what =
    kind === 'closed'
      ? plural(closedFds, 'descriptor of a closed connection', 'descriptors of closed connections')
      : `${plural(sockets.length, 'connection')}${kind === 'backlog' ? ' that nobody accepts' : ''}`;
  return `${who}, ${what}, ${cause}`;
}
