import type { Deed, Measure, ReliefPlan } from '../model/relief.ts';
import { SOCKET_ACTIONS } from '../model/relief.ts';
import { formatDuration, formatNumber, plural } from '../model/words.ts';
import { cut, type Paint, printable, spread, wrap } from './text.ts';

/** What would be done to one process, and what would come of it. */
export function renderPlan(plan: ReliefPlan, width: number, paint: Paint): string {
  const { decision, cause, confidence } = plan;
  const head = headOf(plan);
  const right = `${cause} (${confidence})`;
  const { gap, fits } = spread(head, right, width);
  const lines = [
    ...(fits ? [`${paint('strong', head)}${gap}${right}`] : [paint('strong', cut(head, width)), `  ${right}`]),
    ...wrap(countOf(plan), width, 2),
  ];
  const list = (heading: string, items: string[]): string[] =>
    items.length === 0 ? [] : [`  ${heading}`, ...items.flatMap((item) => wrap(printable(item), width, 4, 6))];
  if (decision.kind === 'nothing')
    return `${[...lines, ...wrap(`Nothing to do: ${decision.why}`, width, 2, 4)].join('\n')}\n`;
  if (decision.kind === 'refused')
    return `${[
      ...lines,
      ...wrap(`Refused: ${printable(decision.why)}`, width, 2, 4),
      ...list('What helps instead', decision.instead),
    ].join('\n')}\n`;
  return `${[
    ...lines,
    ...wrap(`Would do: ${deedOf(plan)}`, width, 2, 4),
    ...wrap(`because ${decision.why}`, width, 4, 6),
    ...list('To', targetsOf(plan)),
    ...list('The program notices', decision.notices),
    ...list('It does not', decision.willNot),
  ].join('\n')}\n`;
}

function headOf({ process }: ReliefPlan): string {
  if (!process) return 'no known process';
  const where = process.container?.name ?? process.unit;
  return [`${printable(process.name)}  pid ${process.pid}`, ...(where === undefined ? [] : [printable(where)])].join(
    ' · ',
  );
}

function countOf({ stuck, cause, oldestMs, process, perHour }: ReliefPlan): string {
  const what =
    cause === 'closed-but-held'
      ? plural(stuck, 'descriptor of a closed connection', 'descriptors of closed connections')
      : `${plural(stuck, 'connection')} in CLOSE_WAIT`;
  const age = oldestMs === undefined ? '' : `, the oldest for ${formatDuration(oldestMs)}`;
  const rate = perHour ? `, ${formatNumber(Math.round(perHour))} more an hour` : '';
  const fds =
    process?.openFds === undefined
      ? ''
      : ` · ${formatNumber(process.openFds)} of ${limitOf(process.fdLimit)} descriptors used`;
  return `${what}${age}${rate}${fds}`;
}

function limitOf(limit: number | undefined): string {
  if (limit === undefined) return '?';
  return Number.isFinite(limit) ? formatNumber(limit) : 'unlimited';
}

/** The action in the words of what happens. */
function deedOf({ decision, process, selection, fdLimit }: ReliefPlan): string {
  if (decision.kind !== 'act') return '';
  const pid = process?.pid;
  const sockets = plural(selection.sockets.length, 'connection');
  switch (decision.action) {
    case 'raise-fd-limit':
      return `raise the descriptor limit of pid ${pid} from ${formatNumber(fdLimit?.from ?? 0)} to ${formatNumber(fdLimit?.to ?? 0)} (prlimit)`;
    case 'resume':
      return `let pid ${pid} run on (SIGCONT)`;
    case 'thaw':
      return `thaw the cgroup of pid ${pid}`;
    case 'keepalive':
      return `have the kernel probe the peers of ${sockets}, and end those whose peer is gone (SO_KEEPALIVE on a copy of each descriptor)`;
    case 'shutdown':
      return `end ${sockets} in order (shutdown(SHUT_WR) on a copy of each descriptor)`;
    case 'destroy':
      return `end ${sockets} at once (SOCK_DESTROY, by the cookie of each)`;
    case 'restart-unit':
      return `systemctl restart ${process?.unit}`;
    case 'restart-container':
      return `${process?.container?.engine} restart ${process?.container?.id.slice(0, 12)}`;
    case 'terminate':
      return `end pid ${pid} (SIGTERM)`;
  }
}

const MOST_PEERS = 5;

function targetsOf({ decision, selection, olderThanMs }: ReliefPlan): string[] {
  if (decision.kind !== 'act' || !SOCKET_ACTIONS.has(decision.action)) return [];
  const { sockets, leftOut } = selection;
  const peers = new Map<string, number>();
  for (const { socket } of sockets) peers.set(socket.peer.address, (peers.get(socket.peer.address) ?? 0) + 1);
  const shown = [...peers].sort((a, b) => b[1] - a[1]).slice(0, MOST_PEERS);
  const more = peers.size > MOST_PEERS ? ` and ${formatNumber(peers.size - MOST_PEERS)} more` : '';
  const out = [
    [leftOut.young, `younger than ${formatDuration(olderThanMs)}`],
    [leftOut.unsure, 'whose age is not known for sure'],
    [leftOut.used, 'on which data was sent since'],
    [leftOut.shared, 'also open in other processes'],
  ].flatMap(([count, why]) => (count === 0 ? [] : `left out: ${formatNumber(Number(count))} ${why}`));
  return [
    `${plural(sockets.length, 'connection')} older than ${formatDuration(olderThanMs)}${shown.length === 0 ? '' : `, with ${shown.map(([address, n]) => `${address} (${formatNumber(n)})`).join(', ')}${more}`}`,
    ...out,
  ];
}

/** What was measured before and after, without the verdict. */
export function renderResult(
  { name, deed, before, after }: { name: string; deed: Deed; before: Measure; after: Measure },
  width: number,
): string {
  const row = (what: string, was: number | undefined, is: number | undefined): string[] =>
    was === undefined && is === undefined
      ? []
      : [
          `  ${what.padEnd(24)}${(was === undefined ? '?' : formatNumber(was)).padStart(9)} -> ${is === undefined ? '?' : formatNumber(is)}`,
        ];
  const arrived = [...after.closeWait].filter((inode) => !before.closeWait.has(inode)).length;
  const left = Object.entries(deed.left ?? {}).map(([why, count]) => `  left as it was: ${formatNumber(count)} ${why}`);
  return `${[
    ...wrap(`${printable(name)}  pid ${deed.pid}: ${deed.action}`, width, 0),
    ...(after.alive
      ? [
          ...row('descriptors', before.openFds, after.openFds),
          ...row('descriptor limit', before.fdLimit, after.fdLimit),
          ...row('in CLOSE_WAIT', before.closeWait.size, after.closeWait.size),
          ...row('closed but held', before.closedHeld, after.closedHeld),
          ...(arrived > 0 ? [`  still growing: ${formatNumber(arrived)} new meanwhile`] : []),
        ]
      : ['  the process has ended']),
    ...left,
  ].join('\n')}\n`;
}
