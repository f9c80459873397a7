import type { Trace, WatchEvent, WatchFrame } from '../../model/watch.ts';
import { formatDuration, formatNumber, plural } from '../../model/words.ts';
import { cut, type Paint, printable } from '../text.ts';
import { clock, flowText } from './words.ts';

export type LineOptions = { width: number; paint: Paint; utcOffsetMs: number };

/** One line for a look, and one for each change. */
export function renderLines({ at, diagnosis, rows, flow, events }: WatchFrame, options: LineOptions): string {
  const { width, paint, utcOffsetMs } = options;
  const { stuck, maybeStuck, closeWait, closedButHeld } = diagnosis.totals;
  const there = rows.filter(({ count, finding }) => count > 0 && finding.cause !== 'churn');
  const oldest = Math.max(-1, ...there.map(({ finding }) => finding.age?.oldestMs ?? -1));
  const parts = [
    `${formatNumber(closeWait)} CLOSE_WAIT, ${formatNumber(stuck + maybeStuck)} stuck`,
    ...(!closedButHeld ? [] : [`${formatNumber(closedButHeld)} closed but held`]),
    plural(new Set(there.flatMap(({ finding }) => finding.subject.process?.pid ?? [])).size, 'process', 'processes'),
    flowText(flow),
    ...(oldest >= 0 ? [`oldest ${formatDuration(oldest)}`] : []),
  ].filter((part) => part !== '');
  const line = cut(`${clock(at, utcOffsetMs)}  ${parts.join(' · ')}`, width);
  return `${[line, ...events.map((event) => eventLine(event, options))].map((text) => text.trimEnd()).join('\n')}\n`;

  function eventLine(event: WatchEvent, { width }: LineOptions): string {
    return paint(event.severity, cut(eventText(event, utcOffsetMs), width));
  }
}

export const eventText = ({ at, who, what }: WatchEvent, utcOffsetMs: number): string =>
  printable(`${clock(at, utcOffsetMs)}  ${who}: ${what}`);

/** How entries and exits are known, in words for a line. */
export function traceText({ kind, lost }: Trace): string {
  const how = { bpf: 'every entry and exit (BPF)', tracefs: 'every entry and exit (tracefs)', polls: 'looks compared' };
  return how[kind] + (lost ? ', some lost' : '');
}
