import type { CheckResult, Measure, Range } from '../model/check.ts';
import type { Finding } from '../model/finding.ts';
import { printable } from './text.ts';

/** Senders such as NRPE pass on 1024 bytes of the first line, and the numbers behind the text matter more than its end. */
const LONGEST_SUMMARY = 300;

/** More findings than this are in the report. */
const MOST_FINDINGS = 10;

/** The output of a monitoring plugin: one line with the numbers behind a bar, then a line for each finding. */
export function renderCheck(
  { state, summary, measures, findings }: CheckResult,
  describe: (finding: Finding) => string,
  verbose: boolean,
): string {
  const short = summary.length > LONGEST_SUMMARY ? `${summary.slice(0, LONGEST_SUMMARY - 3)}...` : summary;
  const first = `UNCLOSED ${state} - ${oneLine(short)} | ${measures.map(performanceData).join(' ')}`;
  const lines = findings.slice(0, MOST_FINDINGS).flatMap((finding) => findingLines(finding, describe, verbose));
  return `${[first, ...lines].join('\n')}\n`;
}

function findingLines(finding: Finding, describe: (finding: Finding) => string, verbose: boolean): string[] {
  const { severity, crossed, evidence, next } = finding;
  const limits = crossed.length > 0 ? `: ${crossed.join(', ')}` : '';
  const head = `${severity === 'ok' ? 'NOTE' : severity.toUpperCase()} ${describe(finding)}${limits}`;
  const details = [
    ...evidence.map(({ fact, says }) => `  why: ${fact}: ${says}`),
    ...next.map(({ command, why }) => `  do: ${command === undefined ? why : `${command} (${why})`}`),
  ];
  return [head, ...(verbose ? details : [])].map(oneLine);
}

/** What follows a bar would be taken for numbers. */
const oneLine = (text: string): string => printable(text).replaceAll('|', '/');

/** 'label'=value[UOM];[warn];[crit];[min];[max] */
function performanceData({ name, value, unit, warning, critical, most }: Measure): string {
  const number = value === undefined ? 'U' : `${value}${unit ?? ''}`;
  const fields = [number, warning ? formatRange(warning) : '', critical ? formatRange(critical) : '', '0', most ?? ''];
  return `${name}=${fields.join(';').replace(/;+$/, '')}`;
}

function formatRange({ start, end, alertInside }: Range): string {
  const from = start === 0 ? '' : start === Number.NEGATIVE_INFINITY ? '~:' : `${start}:`;
  const to = end === Number.POSITIVE_INFINITY ? '' : String(end);
  return `${alertInside ? '@' : ''}${from === '' && to === '' ? '0:' : from}${to}`;
}
