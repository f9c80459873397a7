import { CAUSES } from '../../model/finding.ts';
import type { WatchRow } from '../../model/watch.ts';
import { type Paint, printable, type Style } from '../text.ts';
import { bar, fit, sparkline } from './columns.ts';
import type { Sort } from './view.ts';
import { shortDuration, shortNumber } from './words.ts';

type Column = { title: string; width: number; align?: 'right'; sort?: Sort; of(row: WatchRow, width: number): string };

const FD_BAR = 2;
/** None is cut: half a word is no cause. */
const CAUSE_WIDTH = Math.max(...CAUSES.map(({ length }) => length));

/** With one space between them and the mark in front they fill 80 columns; a wider screen goes to the first and the third. */
const COLUMNS: readonly Column[] = [
  { title: 'PROCESS', width: 13, sort: 'name', of: ({ name }) => printable(name) },
  { title: 'CL_WAIT', width: 7, align: 'right', sort: 'count', of: ({ count }) => count.toLocaleString('en-US') },
  { title: 'HISTORY', width: 7, of: ({ history }, width) => sparkline(history, width) },
  { title: '+/min', width: 5, align: 'right', sort: 'growth', of: ({ flow }) => rate(flow.enteredPerMinute) },
  { title: '-/min', width: 5, align: 'right', of: ({ flow }) => rate(flow.leftPerMinute) },
  {
    title: 'OLDEST',
    width: 6,
    align: 'right',
    sort: 'oldest',
    of: ({ count, finding: { age } }) => (count === 0 || !age ? '-' : shortDuration(age.oldestMs)),
  },
  { title: 'FDS', width: 7, sort: 'fds', of: fdText },
  {
    title: 'FULL',
    width: 5,
    align: 'right',
    of: ({ finding: { fds } }) => (fds?.fullInMs === undefined ? '-' : shortDuration(fds.fullInMs)),
  },
  { title: 'CAUSE', width: CAUSE_WIDTH, of: ({ count, finding }) => (count === 0 ? 'none left' : finding.cause) },
];

const rate = (perMinute: number | undefined): string => (perMinute === undefined ? '-' : shortNumber(perMinute));

function fdText({ finding: { fds } }: WatchRow): string {
  if (!fds) return '-';
  if (fds.limit === undefined) return shortNumber(fds.open);
  const share = fds.open / fds.limit;
  return `${bar(share, FD_BAR)} ${String(Math.round(share * 100)).padStart(3)}%`;
}

const MARK = 1;
const LEAST_WIDTH = COLUMNS.reduce((sum, { width }) => sum + width + 1, MARK);

/** What is over goes to names first, which may be cut at 80 columns, then to history. */
function widths(width: number): number[] {
  let over = Math.max(0, width - LEAST_WIDTH);
  const take = (most: number): number => {
    const taken = Math.min(over, most);
    over -= taken;
    return taken;
  };
  const name = take(17);
  const history = take(33);
  return COLUMNS.map(({ title, width: own }) =>
    title === 'PROCESS' ? own + name : title === 'HISTORY' ? own + history : own,
  );
}

export function tableHeading(sort: Sort, width: number): string {
  const sizes = widths(width);
  const cells = COLUMNS.map(({ title, align, sort: own }, index) =>
    fit(
      own === sort ? `${title}${own === 'growth' ? '' : '*'}`.slice(0, sizes[index]) : title,
      sizes[index] ?? 0,
      align,
    ),
  );
  return fit(`${' '.repeat(MARK)}${cells.map((cell) => ` ${cell}`).join('')}`, width);
}

/** As many rows as there is room for, with the selected one among them. */
export function tableLines(
  rows: readonly WatchRow[],
  selected: number,
  room: number,
  { width, paint }: { width: number; paint: Paint },
): string[] {
  const first = Math.max(0, Math.min(selected - Math.floor(room / 2), rows.length - room));
  const sizes = widths(width);
  return rows.slice(first, first + room).map((row, index) => {
    const isSelected = first + index === selected;
    const cells = COLUMNS.map(({ of, align }, column) => fit(of(row, sizes[column] ?? 0), sizes[column] ?? 0, align));
    const line = fit(`${isSelected ? '>' : ' '}${cells.map((cell) => ` ${cell}`).join('')}`, width);
    return paint(isSelected ? 'selected' : styleOf(row), line);
  });
}

function styleOf({ count, finding: { severity, cause } }: WatchRow): Style {
  if (count === 0 || cause === 'churn') return 'dim';
  return severity === 'ok' ? 'ok' : severity;
}
