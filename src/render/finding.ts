import type { Evidence, Finding, Forecast, NextStep, PeerGroup } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { formatDuration, formatEndpoint, formatNumber, plural } from '../model/words.ts';
import { renderCode } from './code.ts';
import type { ReportOptions } from './options.ts';
import { cut, printable, type Style, spread, wrap } from './text.ts';

const LABELS = { critical: 'CRITICAL', warning: 'WARNING' } as const;

/** One finding: who, how much, why, what to do, and the other ends. */
export function renderFinding(finding: Finding, snapshot: Snapshot, options: ReportOptions): string[] {
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
    ...summary(finding, snapshot.source.kind === 'capture').flatMap((line) => wrap(line, width, 2)),
    ...renderCode(finding.code ?? [], options),
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
  if (kind === 'counted') return 'all processes together';
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

const USED_UP: Record<Forecast['resource'], string> = {
  descriptors: 'full',
  'accept-queue': 'accept queue full',
  ports: 'no local port left',
  files: 'no file left on the machine',
};

function summary({ subject, age, arrivals, fds, cause, forecast: [next] }: Finding, isCapture: boolean): string[] {
  const { sockets, closedFds, connections, kind, process } = subject;
  const since = age ? `, the oldest for ${sinceText(age)}` : '';
  const count = formatNumber(sockets.length);
  const first =
    kind === 'counted'
      ? `${plural(subject.maybeStuck, 'connection')} in CLOSE_WAIT, counted without names`
      : kind === 'closed'
        ? `${plural(closedFds, 'descriptor')} of ${closedFds === 1 ? 'a closed connection' : 'closed connections'} still held`
        : kind === 'backlog'
          ? `${plural(sockets.length, 'connection')} that nobody has accepted, closed by the peer${since}`
          : connections === undefined
            ? `${outOf(sockets.length, process, isCapture)} ${sockets.length === 1 ? 'waits' : 'wait'} to be closed${since}`
            : `${count} of ${plural(connections, 'connection')} ${sockets.length === 1 ? 'waits' : 'wait'} to be closed${since}`;
  const budget = [
    ...(arrivals ? [`+${formatRate(arrivals.perHour)} an hour`] : []),
    ...(fds ? [fdText(fds)] : []),
    ...(next ? [`${USED_UP[next.resource]} in ${formatDuration(next.inMs)} at this rate`] : []),
  ];
  const direction =
    kind !== 'closed' && kind !== 'counted' && kind !== 'backlog' && cause !== 'churn' ? directionText(subject) : [];
  return [first, ...(budget.length > 0 ? [budget.join(' · ')] : []), ...direction];
}

/** Where connections were not counted, all sockets of the process are known, of whatever kind. */
const outOf = (count: number, process: Process | undefined, isCapture: boolean): string =>
  process?.sockets === undefined || isCapture
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
  if (direction === 'unknown') return [];
  if (direction === 'mixed') return ['some inbound, some outbound'];
  const [top] = peers;
  return top && peers.length === 1 ? [`outbound, to ${peerName(top)}`] : ['outbound'];
}

function why({ evidence, confidence, crossed, harmless, cause }: Finding, { paint, width }: ReportOptions): string[] {
  const title = cause === 'unknown' ? 'Why: undecided. What is known:' : `Why (${confidence})`;
  const lines = evidence.flatMap(({ fact, says }: Evidence) => wrap(printable(`${fact}: ${says}`), width, 4, 6));
  const limits = [
    ...(crossed.length > 0 ? wrap(`limit crossed: ${crossed.join(', ')}`, width, 4, 6) : []),
    ...(harmless !== undefined ? wrap(`no alarm: ${harmless}`, width, 4, 6) : []),
  ];
  return lines.length + limits.length === 0 ? [] : ['', `  ${paint('strong', title)}`, ...lines, ...limits];
}

/** Another namespace has other addresses: its 127.0.0.1 is not ours. */
function netnsOf({ subject: { sockets, process } }: Finding, { namespaces }: Snapshot): string {
  const id = sockets.at(0)?.netns ?? process?.netns;
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
    // Beside the command where the reason fits there in one piece, else below.
    const beside = 4 + column + 3;
    if (command.length > column || beside + reason.length > width) {
      return [`    ${paint('strong', printable(command))}`, ...wrap(reason, width, 6)];
    }
    return [`    ${paint('strong', printable(command).padEnd(column))}   ${reason}`];
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
