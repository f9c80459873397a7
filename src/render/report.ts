import type { Diagnosis, Evidence, Finding, Limits, NextStep, PeerGroup } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import type { Gap, Snapshot } from '../model/snapshot.ts';
import { formatDuration, formatEndpoint, formatNumber, plural } from '../model/words.ts';
import { cut, type Paint, printable, type Style, spread, wrap } from './text.ts';

export type ReportOptions = {
  width: number;
  paint: Paint;
  limits: Limits;
  /** Show every finding in full, also those that are only churn. */
  all: boolean;
  /** Say how it was read. */
  verbose: boolean;
  /** Options that the commands it suggests should have too, with a space behind; or nothing. */
  again: string;
  /** The filters in force, in words. */
  filter?: string;
};

/** More findings than this are summed up in one line: the page is for reading, and the worst come first. */
const SHOWN = 10;

/** The report for people: the answer first, then its proof, what to do, and what was not seen. */
export function renderReport(snapshot: Snapshot, diagnosis: Diagnosis, options: ReportOptions): string {
  const relevant = diagnosis.findings.filter(({ cause }) => options.all || cause !== 'churn');
  const shown = options.all ? relevant : relevant.slice(0, SHOWN);
  const hidden = relevant.slice(shown.length);
  const blocks = [
    [...header(snapshot, options), ...(relevant.length > 0 ? verdict(relevant, options) : [])],
    ...(relevant.length === 0 ? [nothingStuck(snapshot, diagnosis, options)] : []),
    ...shown.map((finding) => renderFinding(finding, snapshot, options)),
    ...(hidden.length > 0 ? [hiddenLine(hidden, options)] : []),
    ...(relevant.length > 0 ? youngLine(diagnosis, options) : []),
    ...renderGaps(diagnosis.gaps, options),
    ...(options.verbose ? [readingLines(snapshot, options)] : []),
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
  const parts = [host?.name, kernel, counted, `${(tookMs / 1000).toFixed(2)} s`].filter((part) => part !== undefined);
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

/** One line that says it all, for whoever reads no further. */
function verdict(findings: Finding[], { width }: ReportOptions): string[] {
  const sum = (of: (subject: Finding['subject']) => number): number =>
    findings.reduce((total, { subject }) => total + of(subject), 0);
  const stuck = sum((subject) => subject.stuck + subject.maybeStuck);
  const closed = sum(({ closedFds }) => closedFds);
  const processes = new Set(findings.flatMap(({ subject }) => subject.process?.pid ?? [])).size;
  const levels = (['critical', 'warning', 'ok'] as const).flatMap((level) => {
    const count = findings.filter(({ severity }) => severity === level).length;
    return count === 0 ? [] : plural(count, level === 'ok' ? 'note' : level, level === 'critical' ? level : undefined);
  });
  const parts = [
    ...(stuck > 0 ? [`${plural(stuck, 'connection')} stuck`] : []),
    ...(closed > 0 ? [`${plural(closed, 'descriptor')} of closed connections held`] : []),
    ...(processes > 0 ? [`in ${plural(processes, 'process', 'processes')}`] : []),
  ];
  return wrap(`${parts.join(', ').replace(', in ', ' in ')} · ${levels.join(', ')}`.replace(/^ · /, ''), width, 0, 2);
}

const UTC = { dateStyle: 'short', timeStyle: 'medium', timeZone: 'UTC' } as const;
const formatUtc = (time: number): string => `${new Intl.DateTimeFormat('sv-SE', UTC).format(time)} UTC`;

function nothingStuck(snapshot: Snapshot, diagnosis: Diagnosis, options: ReportOptions): string[] {
  const { tcpSockets, processCount } = snapshot;
  const namespaces = snapshot.namespaces.filter(({ read }) => read);
  const { closeWait } = diagnosis.totals;
  const sockets = tcpSockets === undefined ? 'TCP sockets' : plural(tcpSockets, 'TCP socket');
  const young = closeWait > 0 ? ` ${youngText(closeWait, options)}` : '';
  const seen = `looked at ${sockets} of ${plural(processCount, 'process', 'processes')} in ${plural(namespaces.length, 'network namespace')}.`;
  const where = options.filter === undefined ? '' : ' in what was asked for';
  const [first = '', ...rest] = wrap(`Nothing stuck${where}: ${seen}${young}`, options.width, 0);
  return [first.replace('Nothing stuck', options.paint('ok', 'Nothing stuck')), ...rest];
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

const LABELS = { critical: 'CRITICAL', warning: 'WARNING' } as const;

function renderFinding(finding: Finding, snapshot: Snapshot, options: ReportOptions): string[] {
  const { paint, width } = options;
  const { severity, cause } = finding;
  const label = severity === 'ok' ? (cause === 'churn' ? 'OK' : 'NOTE') : LABELS[severity];
  const style: Style = severity;
  const who = cut(`${label}  ${whoIs(finding)}${netnsOf(finding, snapshot)}`, width);
  const { gap, fits } = spread(who, cause, width);
  const title = paint(style, label) + paint('strong', who.slice(label.length));
  return [
    ...(fits ? [`${title}${gap}${cause}`] : [title, `  ${cause}`]),
    ...commandLine(finding, options),
    ...summary(finding).flatMap((line) => wrap(line, width, 2)),
    ...why(finding, options),
    ...steps(finding.next, snapshot, options),
    ...peersLine(finding.subject.peers, options),
  ];
}

function whoIs({ subject }: Finding): string {
  const { process, uid, kind, listener } = subject;
  if (kind === 'backlog' && listener) {
    const owner = process ? ` · ${identity(process)}` : '';
    return `accept queue of ${formatEndpoint(listener.local)}${owner}`;
  }
  if (process) return identity(process);
  return `no known process${uid === undefined ? '' : ` (uid ${uid})`}`;
}

function identity(process: Process): string {
  const { name, pid, unit, container, pod, runtime } = process;
  const place = pod?.name ?? container?.name ?? container?.id.slice(0, 12) ?? unit;
  const parts = [`${printable(name)}  pid ${pid}`, place === undefined ? undefined : printable(place), runtime];
  return parts.filter((part) => part !== undefined).join(' · ');
}

function commandLine({ subject: { process, kind } }: Finding, { paint, width }: ReportOptions): string[] {
  if (process?.command === undefined || kind === 'backlog') return [];
  const by = process.user === undefined ? '' : `${process.user}: `;
  return [paint('dim', cut(printable(`  ${by}${process.command}`), width))];
}

function summary({ subject, age, arrivals, fds, cause }: Finding): string[] {
  const { sockets, closedFds, connections, kind, process } = subject;
  const since = age ? `, the oldest for ${sinceText(age)}` : '';
  const count = formatNumber(sockets.length);
  const first =
    kind === 'closed'
      ? `${plural(closedFds, 'descriptor')} of ${closedFds === 1 ? 'a closed connection' : 'closed connections'} still held`
      : kind === 'backlog'
        ? `${plural(sockets.length, 'connection')} that nobody has accepted, closed by the peer${since}`
        : connections === undefined
          ? `${outOf(sockets.length, process)} ${sockets.length === 1 ? 'waits' : 'wait'} to be closed${since}`
          : `${count} of ${plural(connections, 'connection')} ${sockets.length === 1 ? 'waits' : 'wait'} to be closed${since}`;
  const budget = [
    ...(arrivals ? [`+${formatRate(arrivals.perHour)} an hour`] : []),
    ...(fds ? [fdText(fds)] : []),
    ...(fds?.fullInMs !== undefined ? [`full in ${formatDuration(fds.fullInMs)} at this rate`] : []),
  ];
  const direction = kind !== 'closed' && kind !== 'backlog' && cause !== 'churn' ? directionText(subject) : [];
  return [first, ...(budget.length > 0 ? [budget.join(' · ')] : []), ...direction];
}

/** Where connections were not counted, all sockets of the process are known, of whatever kind. */
const outOf = (count: number, process: Process | undefined): string =>
  process?.sockets === undefined
    ? plural(count, 'connection')
    : `${formatNumber(count)} of ${plural(process.sockets.size, 'socket')}`;

function sinceText({ oldestMs, oldestAtMostMs, exact }: NonNullable<Finding['age']>): string {
  const least = formatDuration(oldestMs);
  const most = formatDuration(oldestAtMostMs);
  return exact || least === most ? least : `${least} to ${most}`;
}

const formatRate = (perHour: number): string => (perHour < 10 ? perHour.toFixed(1) : formatNumber(Math.round(perHour)));

const fdText = ({ open, limit }: NonNullable<Finding['fds']>): string =>
  limit === undefined
    ? `${plural(open, 'descriptor')} open, no limit known`
    : `${formatNumber(open)} of ${formatNumber(limit)} descriptors used`;

function directionText({ direction, listener, peers }: Finding['subject']): string[] {
  if (direction === 'inbound') return listener ? [`inbound, to ${formatEndpoint(listener.local)}`] : ['inbound'];
  if (direction === 'mixed') return ['some inbound, some outbound'];
  const [top] = peers;
  return top && peers.length === 1 ? [`outbound, to ${peerName(top)}`] : ['outbound'];
}

function why({ evidence, confidence, crossed, cause }: Finding, { paint, width }: ReportOptions): string[] {
  const title = cause === 'unknown' ? 'Why: undecided. What is known:' : `Why (${confidence})`;
  const lines = evidence.flatMap(({ fact, says }: Evidence) => wrap(printable(`${fact}: ${says}`), width, 4, 6));
  const limits = crossed.length > 0 ? wrap(`limit crossed: ${crossed.join(', ')}`, width, 4, 6) : [];
  return lines.length + limits.length === 0 ? [] : ['', `  ${paint('strong', title)}`, ...lines, ...limits];
}

/** Another namespace has other addresses: its 127.0.0.1 is not ours. */
function netnsOf({ subject: { sockets, process } }: Finding, { namespaces }: Snapshot): string {
  const id = sockets[0]?.netns ?? process?.netns;
  const netns = namespaces.find((it) => it.id === id);
  return !netns || netns.own ? '' : ` · netns ${printable(netns.name ?? String(netns.id))}`;
}

/** Commands of ours go on with what was asked; those for a machine that is only recorded are said to be for there. */
function steps(steps: NextStep[], { source, host }: Snapshot, { paint, width, again }: ReportOptions): string[] {
  if (steps.length === 0) return [];
  const next = steps.map(({ command, why: reason }) => ({
    why: reason,
    ...(command !== undefined && { command: command.replace(/^unclosed (?=[0-9])/, `unclosed ${again}`) }),
  }));
  const where = source.kind === 'recording' && host ? `Do, on ${printable(host.name)}` : 'Do';
  const column = Math.min(40, Math.max(0, ...next.map(({ command }) => command?.length ?? 0)));
  const lines = next.flatMap(({ command, why: reason }) => {
    if (command === undefined) return wrap(printable(reason), width, 4, 6);
    if (command.length > column || width < 70)
      return [`    ${paint('strong', printable(command))}`, ...wrap(reason, width, 6)];
    const [first = '', ...rest] = wrap(reason, width, column + 7);
    return [`    ${paint('strong', printable(command).padEnd(column))}   ${first.trimStart()}`, ...rest];
  });
  return [`  ${paint('strong', where)}`, ...lines];
}

const SHOWN_PEERS = 5;

const peerName = ({ address, port, service }: PeerGroup): string =>
  port === undefined ? address : `${formatEndpoint({ address, port })}${service ? ` (${printable(service)})` : ''}`;

function peersLine(peers: PeerGroup[], { paint, width }: ReportOptions): string[] {
  if (peers.length === 0) return [];
  const shown = peers.slice(0, SHOWN_PEERS).map((peer) => {
    const process = peer.process ? ` = ${printable(peer.process.name)} ${peer.process.pid}` : '';
    return `${peerName(peer)}${process}: ${formatNumber(peer.sockets)}`;
  });
  const more = peers.length > SHOWN_PEERS ? [`and ${formatNumber(peers.length - SHOWN_PEERS)} more`] : [];
  const [first = '', ...rest] = wrap([...shown, ...more].join('   '), width, 9, 9);
  return [`  ${paint('strong', 'Peers')}  ${first.trimStart()}`, ...rest];
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
  { paint, width }: ReportOptions,
): string[] {
  const { netlink, text, lookedAt, leftOut } = reading;
  const closed = closedButHeldAtMost === undefined ? 'not known' : `at most ${formatNumber(closedButHeldAtMost)}`;
  return [
    `tables: ${netlink} of ${plural(namespaces.length, 'namespace')} over NETLINK_SOCK_DIAG, ${text} from /proc/PID/net/tcp`,
    lookedAt === 0
      ? 'descriptors: none looked at, for nothing is stuck'
      : `descriptors: of ${plural(lookedAt, 'process', 'processes')}; ${formatNumber(leftOut)} left out after every holder was found (--all-holders looks at all)`,
    `closed sockets still held on this machine: ${closed}`,
  ].flatMap((line) => wrap(line, width, 0, 2).map((it) => paint('dim', it)));
}
