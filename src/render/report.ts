import type { Diagnosis, Finding } from '../model/finding.ts';
import type { Gap, Snapshot } from '../model/snapshot.ts';
import { formatDuration, formatNumber, plural } from '../model/words.ts';
import { renderFinding } from './finding.ts';
import type { ReportOptions } from './options.ts';
import { printable, wrap } from './text.ts';

/** More findings than this are summed up in one line: the page is for reading, and the worst come first. */
const SHOWN = 10;

/** The report for people: the answer first, then its proof, what to do, and what was not seen. `more` stands before the latter. */
export function renderReport(
  snapshot: Snapshot,
  diagnosis: Diagnosis,
  options: ReportOptions,
  more: readonly string[][] = [],
): string {
  const relevant = diagnosis.findings.filter(({ cause }) => options.all || cause !== 'churn');
  const shown = options.all ? relevant : relevant.slice(0, SHOWN);
  const hidden = relevant.slice(shown.length);
  const blocks = [
    [...header(snapshot, options), ...(relevant.length > 0 ? verdict(relevant, snapshot, options) : [])],
    ...(relevant.length === 0 ? [nothingStuck(snapshot, diagnosis, options)] : []),
    ...growthLines(snapshot, options),
    ...shown.map((finding) => renderFinding(finding, snapshot, options)),
    ...(hidden.length > 0 ? [hiddenLine(hidden, options)] : []),
    ...(relevant.length > 0 ? youngLine(diagnosis, options) : []),
    ...more,
    ...renderGaps(diagnosis.gaps, options),
    ...(options.verbose && snapshot.source.kind !== 'capture' ? [readingLines(snapshot, options)] : []),
  ];
  // A healthy machine is two lines, without an empty one between.
  const [first = [], second = [], ...rest] = blocks;
  const head = relevant.length === 0 ? [[...first, ...second]] : [first, second];
  return `${[...head, ...rest].map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function header(snapshot: Snapshot, { paint, width, filter }: ReportOptions): string[] {
  const { host, tcpSockets, processCount, namespaces, tookMs, source } = snapshot;
  const counted = [
    ...(tcpSockets === undefined ? [] : [plural(tcpSockets, 'TCP socket')]),
    plural(processCount, 'process', 'processes'),
    plural(namespaces.filter(({ read }) => read).length, 'namespace'),
  ].join(', ');
  const kernel = host ? `Linux ${/^[0-9]+\.[0-9]+/.exec(host.kernel)?.[0] ?? host.kernel}` : undefined;
  const parts = [
    host?.name,
    kernel,
    ...(source.kind === 'capture' ? inCapture(snapshot) : [counted]),
    `${(tookMs / 1000).toFixed(2)} s`,
  ].filter((part) => part !== undefined);
  const dim = (text: string): string[] => wrap(printable(text), width, 0, 2).map((line) => paint('dim', line));
  const whole = printable(`unclosed  ${parts.join(' · ')}`);
  // The time it took is the least of it: it goes first when the line is too long.
  const fitting = whole.length <= width ? whole : printable(`unclosed  ${parts.slice(0, -1).join(' · ')}`);
  const [first = '', ...rest] = wrap(fitting, width, 0, 2);
  return [
    first.replace('unclosed', paint('strong', 'unclosed')),
    ...rest,
    ...(source.kind === 'recording' ? dim(`recording ${source.path}, taken ${formatUtc(snapshot.takenAt)}`) : []),
    ...(filter === undefined ? [] : dim(`only ${filter}`)),
  ];
}

/** Of a capture only what stands in it is known, and not what else the machine has. */
const inCapture = ({ source, tcpSockets, processes }: Snapshot): string[] => [
  source.kind === 'capture' && source.format !== 'unknown' ? `capture of ${source.format}` : 'capture',
  ...(tcpSockets === undefined ? [] : [plural(tcpSockets, 'TCP socket')]),
  processes.size === 0 ? 'no process named' : plural(processes.size, 'process', 'processes'),
];

/** One line that says it all, for whoever reads no further. */
function verdict(findings: Finding[], { source }: Snapshot, { width }: ReportOptions): string[] {
  const sum = (of: (subject: Finding['subject']) => number): number =>
    findings.reduce((total, { subject }) => total + of(subject), 0);
  // Without ages, nothing of a capture can be called stuck.
  const undated = source.kind === 'capture' ? sum(({ maybeStuck }) => maybeStuck) : 0;
  const stuck = sum((subject) => subject.stuck + subject.maybeStuck) - undated;
  const closed = sum(({ closedFds }) => closedFds);
  const processes = new Set(findings.flatMap(({ subject }) => subject.process?.pid ?? [])).size;
  const levels = (['critical', 'warning', 'ok'] as const).flatMap((level) => {
    const count = findings.filter(({ severity }) => severity === level).length;
    return count === 0 ? [] : plural(count, level === 'ok' ? 'note' : level, level === 'critical' ? level : undefined);
  });
  const parts = [
    ...(stuck > 0 ? [`${plural(stuck, 'connection')} stuck`] : []),
    ...(undated > 0 ? [`${plural(undated, 'connection')} in CLOSE_WAIT for an unknown time`] : []),
    ...(closed > 0 ? [`${plural(closed, 'descriptor')} of closed connections held`] : []),
    ...(processes > 0 ? [`in ${plural(processes, 'process', 'processes')}`] : []),
  ];
  return wrap(`${parts.join(', ').replace(', in ', ' in ')} · ${levels.join(', ')}`.replace(/^ · /, ''), width, 0, 2);
}

const UTC = { dateStyle: 'short', timeStyle: 'medium', timeZone: 'UTC' } as const;
const formatUtc = (time: number): string => `${new Intl.DateTimeFormat('sv-SE', UTC).format(time)} UTC`;

function nothingStuck(snapshot: Snapshot, diagnosis: Diagnosis, options: ReportOptions): string[] {
  const { tcpSockets, processCount, source } = snapshot;
  const namespaces = snapshot.namespaces.filter(({ read }) => read);
  const { closeWait } = diagnosis.totals;
  const sockets = tcpSockets === undefined ? 'TCP sockets' : plural(tcpSockets, 'TCP socket');
  const young = closeWait > 0 ? ` ${youngText(closeWait, options)}` : '';
  if (source.kind === 'capture') return nothingInCapture(closeWait, options);
  const seen = `looked at ${sockets} of ${plural(processCount, 'process', 'processes')} in ${plural(namespaces.length, 'network namespace')}.`;
  const where = options.filter === undefined ? '' : ' in what was asked for';
  const [first = '', ...rest] = wrap(`Nothing stuck${where}: ${seen}${young}`, options.width, 0);
  return [first.replace('Nothing stuck', options.paint('ok', 'Nothing stuck')), ...rest];
}

function nothingInCapture(closeWait: number, options: ReportOptions): string[] {
  const { width, paint, filter } = options;
  const where = filter === undefined ? '' : ' in what was asked for';
  const text = closeWait > 0 ? youngText(closeWait, options) : `No connection in CLOSE_WAIT in this capture${where}.`;
  const [first = '', ...rest] = wrap(text, width, 0);
  return [paint('ok', first), ...rest];
}

/** What an earlier capture adds: the first question about a leak is whether it grows. */
function growthLines({ growth }: Snapshot, { width }: ReportOptions): string[][] {
  if (!growth) return [];
  const { afterMs, before, appeared, gone, stayed } = growth;
  const since =
    afterMs === undefined ? 'Since the capture before' : `In the ${formatDuration(afterMs)} since the capture before`;
  const perHour = afterMs === undefined ? undefined : ((appeared - gone) / afterMs) * 3600_000;
  const rate = perHour === undefined ? '' : ` (${perHour > 0 ? '+' : ''}${formatNumber(Math.round(perHour))} an hour)`;
  const unlike =
    stayed === 0 && before > 0 && appeared > 0
      ? ['None is in both: perhaps of two machines, or one has names and the other numbers.']
      : [];
  return [
    [
      `${since}: ${formatNumber(appeared)} new in CLOSE_WAIT, ${formatNumber(gone)} gone, ${formatNumber(stayed)} still there${rate}.`,
      ...unlike,
    ].flatMap((line) => wrap(line, width, 0, 2)),
  ];
}

const youngText = (count: number, { limits }: ReportOptions): string =>
  `${plural(count, 'connection')} in CLOSE_WAIT for less than ${formatDuration(limits.stuckAfterMs)}: normal churn.`;

function youngLine({ findings }: Diagnosis, options: ReportOptions): string[][] {
  const young = findings.reduce((sum, { cause, subject }) => sum + (cause === 'churn' ? subject.sockets.length : 0), 0);
  return young > 0 && !options.all ? [[options.paint('dim', youngText(young, options))]] : [];
}

function hiddenLine(hidden: Finding[], { paint }: ReportOptions): string[] {
  const sockets = hidden.reduce((sum, { subject }) => sum + subject.sockets.length + subject.closedFds, 0);
  return [
    paint('dim', `and ${plural(hidden.length, 'more finding')} with ${plural(sockets, 'socket')}: --all shows them`),
  ];
}

function renderGaps(gaps: Gap[], { paint, width }: ReportOptions): string[][] {
  const merged = new Map<string, Gap[]>();
  for (const gap of gaps) merged.set(gap.code + gap.effect, [...(merged.get(gap.code + gap.effect) ?? []), gap]);
  return [...merged.values()].map(([gap, ...same]) => {
    if (!gap) return [];
    const more = same.length > 0 ? ` (and ${same.length} more of this kind)` : '';
    const [first = '', ...rest] = wrap(printable(`Not seen: ${gap.what}${more} [${gap.code}]`), width, 0, 2);
    return [
      first.replace('Not seen', paint('warning', 'Not seen')),
      ...rest,
      ...wrap(printable(gap.effect), width, 2),
      ...wrap(printable(`remedy: ${gap.remedy}`), width, 2, 4),
    ];
  });
}

function readingLines(
  { reading, namespaces, closedButHeldAtMost }: Snapshot,
  { paint, width, changed, files = [] }: ReportOptions,
): string[] {
  const { source, bpfRefused, netlink, text, lookedAt, leftOut } = reading;
  const closed = closedButHeldAtMost === undefined ? 'not known' : `at most ${formatNumber(closedButHeldAtMost)}`;
  return [
    source === 'bpf' || source === 'bpf-generic'
      ? `sockets: from one pass of a BPF iterator over the descriptors of all processes${source === 'bpf' ? '' : ' (generic program)'}`
      : `tables: ${netlink} of ${plural(namespaces.length, 'namespace')} over NETLINK_SOCK_DIAG, ${text} from /proc/PID/net/tcp`,
    ...(bpfRefused === undefined ? [] : [`not by BPF: ${bpfRefused}`]),
    lookedAt === 0
      ? 'descriptors: none looked at, for nothing is stuck'
      : `descriptors: of ${plural(lookedAt, 'process', 'processes')}; ${formatNumber(leftOut)} left out after every holder was found (--all-holders looks at all)`,
    `closed sockets still held on this machine: ${closed}`,
    ...(changed ? [limitsLine(changed)] : []),
    ...(files.length > 0 ? [`configuration: ${printable(files.join(', '))}`] : []),
  ].flatMap((line) => wrap(line, width, 0, 2).map((it) => paint('dim', it)));
}

function limitsLine(changed: NonNullable<ReportOptions['changed']>): string {
  const told = changed.map(({ name, value, source }) => `${name} ${value} (${printable(source)})`);
  return told.length === 0 ? 'limits: the defaults' : `limits: the defaults but ${told.join(', ')}`;
}
