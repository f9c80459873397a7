import type { SocketRow } from '../../model/finding.ts';
import type { WatchFrame, WatchRow } from '../../model/watch.ts';
import { formatNumber } from '../../model/words.ts';
import { renderFinding } from '../finding.ts';
import { bar, fit, sparkline, widthOf } from './columns.ts';
import { eventText } from './lines.ts';
import type { PageOptions } from './view.ts';
import { flowText } from './words.ts';

/** Upper ends of the bins in which ages are counted, in milliseconds. */
const AGES: readonly (readonly [end: number, name: string])[] = [
  [60_000, 'less than 1 min'],
  [300_000, '1 to 5 min'],
  [1_800_000, '5 to 30 min'],
  [7_200_000, '30 min to 2 h'],
  [43_200_000, '2 to 12 h'],
  [172_800_000, '12 h to 2 d'],
  [Number.POSITIVE_INFINITY, 'more than 2 d'],
];
const NAME_WIDTH = 16;
const COUNT_WIDTH = 8;

/** What is known of one row: how it has gone, the finding as in the report, and the ages of its sockets. */
export function processLines(
  row: WatchRow,
  { snapshot, log }: WatchFrame,
  options: PageOptions,
  sockets: readonly SocketRow[],
): string[] {
  const { width } = options;
  const room = Math.max(0, width - COUNT_WIDTH - 4);
  const flow = flowText(row.flow);
  const over = `  ${sparkline(row.history, Math.min(60, room)).trimStart()} ${formatNumber(row.count)}`;
  const head = fit(`${over}${flow === '' ? '' : ` · ${flow}`}`, width);
  if (row.count === 0) {
    // What it was made of is gone with it.
    const lines = log.filter(({ key }) => key === row.key).map((event) => eventText(event, options.utcOffsetMs));
    return [head, '', '  Nothing of it is left.', ...lines.map((line) => `  ${line}`)].map((line) => fit(line, width));
  }
  return [
    head,
    '',
    ...renderFinding(row.finding, snapshot, { ...options, all: true, verbose: false }).map((line) =>
      atMost(line, width),
    ),
    '',
    ...histogram(sockets, options),
  ];
}

/** Lines of the report are painted already, and their width is counted in characters: wide ones may need more columns. */
function atMost(line: string, width: number): string {
  const text = line.replace(/\u001b\[[0-9;]*m/g, '');
  return widthOf(text) > width ? fit(text, width) : line;
}

function histogram(sockets: readonly SocketRow[], { width, paint }: PageOptions): string[] {
  if (sockets.length === 0) return [];
  const counts = AGES.map(() => 0);
  let unknown = 0;
  for (const { age } of sockets) {
    const bin = AGES.findIndex(([end]) => age.atLeastMs !== undefined && age.atLeastMs < end);
    if (bin < 0) unknown++;
    else counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const most = Math.max(...counts, unknown);
  const line = (name: string, count: number): string => {
    const room = Math.max(1, width - NAME_WIDTH - COUNT_WIDTH - 6);
    const text = `    ${name.padEnd(NAME_WIDTH)}${formatNumber(count).padStart(COUNT_WIDTH)} ${bar(count / most, room)}`;
    return widthOf(text) > width ? fit(text, width) : text.trimEnd();
  };
  const shown = AGES.flatMap(([, name], index) => (counts[index] ? [line(name, counts[index] ?? 0)] : []));
  return [`  ${paint('strong', 'Ages')}`, ...shown, ...(unknown > 0 ? [line('not known', unknown)] : [])];
}
