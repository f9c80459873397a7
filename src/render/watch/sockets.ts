import type { SocketRow } from '../../model/finding.ts';
import { keepaliveOf } from '../../model/socket.ts';
import { formatEndpoint } from '../../model/words.ts';
import { fit } from './columns.ts';
import type { SocketSort } from './view.ts';
import { shortDuration } from './words.ts';

type Column = { title: string; width: number; align?: 'right'; sort?: SocketSort; of(row: SocketRow): string };

const COLUMNS: readonly Column[] = [
  { title: 'AGE', width: 11, align: 'right', sort: 'age', of: ({ age }) => ageText(age) },
  { title: 'Recv-Q', width: 8, align: 'right', sort: 'recvq', of: ({ socket }) => String(socket.recvQueue ?? '?') },
  { title: 'Local', width: 21, of: ({ socket }) => formatEndpoint(socket.local) },
  { title: 'Peer', width: 21, sort: 'peer', of: ({ socket }) => formatEndpoint(socket.peer) },
  { title: 'FD', width: 7, of: ({ holders }) => holders.map(({ fds }) => fds.join('+')).join(',') || '-' },
  { title: 'KEEP', width: 4, of: ({ socket }) => keepText(keepaliveOf(socket)) },
];
const GAPS = COLUMNS.length - 1;
const LEAST_WIDTH = COLUMNS.reduce((sum, { width }) => sum + width, GAPS);

const keepText = (keepalive: boolean | undefined): string => (keepalive === undefined ? '?' : keepalive ? 'on' : 'off');

function ageText({ atLeastMs, atMostMs }: SocketRow['age']): string {
  if (atLeastMs === undefined) return '?';
  const least = shortDuration(atLeastMs);
  if (atMostMs === undefined) return `>=${least}`;
  const most = shortDuration(atMostMs);
  return least === most ? least : `${least}-${most}`;
}

/** Addresses share what is over. */
const widthsFor = (width: number): number[] => {
  const over = Math.max(0, width - LEAST_WIDTH) >> 1;
  return COLUMNS.map(({ title, width: own }) => (title === 'Local' || title === 'Peer' ? own + over : own));
};

export function socketHeading(sort: SocketSort, width: number): string {
  const sizes = widthsFor(width);
  const cells = COLUMNS.map(({ title, align, sort: own }, index) =>
    fit(own === sort ? `${title}*` : title, sizes[index] ?? 0, align),
  );
  return fit(cells.join(' '), width);
}

export function socketLines(rows: readonly SocketRow[], width: number): string[] {
  const sizes = widthsFor(width);
  return rows.map((row) =>
    fit(COLUMNS.map(({ of, align }, index) => fit(of(row), sizes[index] ?? 0, align)).join(' '), width),
  );
}
