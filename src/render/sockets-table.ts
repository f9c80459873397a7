import type { SocketRow } from '../model/finding.ts';
import { type AgeRange, keepaliveOf } from '../model/socket.ts';
import { formatDuration, formatEndpoint } from '../model/words.ts';
import { printable } from './text.ts';

const HEADINGS = [
  'State',
  'Recv-Q',
  'Send-Q',
  'Local',
  'Peer',
  'PID/Program',
  'FD',
  'Timer',
  'AGE',
  'KEEPALIVE',
  'CAUSE',
];
const RIGHT = new Set(['Recv-Q', 'Send-Q', 'AGE']);

/** One line a socket. Wider than 80 columns, as such tables are. */
export function renderSocketsTable(rows: SocketRow[]): string {
  const cells = rows.map(cellsOf);
  const widths = HEADINGS.map((heading, i) =>
    cells.reduce((most, row) => Math.max(most, row[i]?.length ?? 0), heading.length),
  );
  const line = (row: string[]): string =>
    row
      .map((cell, i) => (RIGHT.has(HEADINGS[i] ?? '') ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return `${[HEADINGS, ...cells].map(line).join('\n')}\n`;
}

function cellsOf({ socket, age, cause, holders }: SocketRow): string[] {
  const keepalive = keepaliveOf(socket);
  return [
    socket.state,
    String(socket.recvQueue ?? '?'),
    String(socket.sendQueue ?? '?'),
    formatEndpoint(socket.local),
    formatEndpoint(socket.peer),
    holders.length > 0 ? holders.map(({ pid, name }) => `${pid}/${printable(name)}`).join(',') : '-',
    holders.length > 0 ? holders.map(({ fds }) => fds.join('+') || '?').join(',') : '-',
    socket.timer === 'none'
      ? '-'
      : `${socket.timer ?? '?'}${socket.timerMs === undefined ? '' : ` ${formatDuration(socket.timerMs)}`}`,
    formatAge(age),
    keepalive === undefined ? '?' : keepalive ? 'on' : 'off',
    cause,
  ];
}

/** One time when both bounds say the same, else what is known. */
export function formatAge({ atLeastMs, atMostMs }: AgeRange): string {
  if (atLeastMs === undefined) return '?';
  const least = formatDuration(atLeastMs);
  if (atMostMs === undefined) return `>= ${least}`;
  const most = formatDuration(atMostMs);
  return atMostMs - atLeastMs < 1000 || least === most ? least : `${least} .. ${most}`;
}
