import type { LogFindings, LogMessage, LogSource } from '../model/logs.ts';
import { formatDuration, formatNumber, plural } from '../model/words.ts';
import { clockTime } from './clock.ts';
import type { ReportOptions } from './options.ts';
import { cut, printable, wrap } from './text.ts';

const SHOWN_MESSAGES = 6;

/** What the logs of a process say of this trouble: how often, since when, an example; and what was looked at. */
export function renderLogs({ sources, messages }: LogFindings, { paint, width, all }: ReportOptions): string[] {
  if (sources.length === 0) return [];
  const shown = all ? messages : messages.slice(0, SHOWN_MESSAGES);
  const more = messages.length - shown.length;
  return [
    `  ${paint('strong', 'Logs')}`,
    ...(messages.length === 0 ? ['    nothing of this trouble'] : []),
    ...shown.flatMap((message) => [
      ...wrap(printable(`${formatNumber(message.count)} × ${message.says}${whenText(message)}`), width, 4, 6),
      paint('dim', cut(`      ${printable(message.example)}`, width)),
    ]),
    ...(more > 0 ? [paint('dim', `    and ${plural(more, 'more message')}: --all shows them`)] : []),
    ...sources
      .flatMap((source) => wrap(printable(`looked at ${sourceText(source)}`), width, 4, 6))
      .map((it) => paint('dim', it)),
  ];
}

function whenText({ first, last, perMinute }: LogMessage): string {
  if (first === undefined || last === undefined) return '';
  const busiest = Math.max(0, ...perMinute.map(({ count }) => count));
  const rate = busiest > 1 ? `, up to ${formatNumber(busiest)} a minute` : '';
  return first === last ? ` (${clockTime(last)})` : ` (${clockTime(first)} to ${clockTime(last)}${rate})`;
}

function sourceText({ name, kind, lines, bytes, size, from, to, rotated }: LogSource): string {
  const part = size !== undefined && size > bytes ? `the last ${formatNumber(Math.ceil(bytes / 1024))} kB of ` : '';
  const span = from !== undefined && to !== undefined && to > from ? ` over ${formatDuration(to - from)}` : '';
  const older = rotated ? `; not at ${plural(rotated, 'older file')} beside it` : '';
  return `${part}${kind === 'journal' ? 'the journal of ' : ''}${name}: ${plural(lines, 'line')}${span}${older}`;
}
