import type { Verdict } from './judge.ts';
import type { Workload } from './workload.ts';

export type Outcome =
  | { workload: Workload; verdict: Verdict }
  | { workload: Workload; failed: string }
  | { workload: Workload; skipped: string };

/** The three numbers that decide, and what they have to be. */
export const TARGET = { workloads: 45, share: 0.95 };

export type Score = {
  judged: number;
  right: number;
  /** Not right, but no cause was named. */
  unsaid: number;
  failed: number;
  skipped: number;
  untrue: number;
  met: boolean;
};

/** With a filter there are as many workloads as were asked for. */
export function score(outcomes: Outcome[], all: boolean): Score {
  const verdicts = outcomes.flatMap((it) => ('verdict' in it ? it.verdict : []));
  const failed = outcomes.filter((it) => 'failed' in it).length;
  const right = verdicts.filter((it) => it.right).length;
  const unsaid = verdicts.filter((it) => !it.right && it.cause === 'unknown').length;
  const untrue = verdicts.filter((it) => it.untrue.length > 0).length;
  const judged = verdicts.length;
  return {
    judged,
    right,
    unsaid,
    failed,
    skipped: outcomes.length - judged - failed,
    untrue,
    met:
      failed === 0 &&
      untrue === 0 &&
      right >= TARGET.share * judged &&
      judged >= (all ? TARGET.workloads : Math.min(1, outcomes.length)),
  };
}

/** The numbers, then the matrix, then each case that is not right. */
export function renderScore(outcomes: Outcome[], numbers: Score): string {
  const { judged, right, unsaid, failed, skipped, untrue, met } = numbers;
  const share = judged === 0 ? '' : ` (${((100 * right) / judged).toFixed(1)} %)`;
  return [
    `${judged} judged: ${right} right${share}, ${unsaid} unknown, ${judged - right - unsaid} wrong`,
    `${untrue} untrue at proven, ${failed} could not be played, ${skipped} skipped`,
    `target: ${TARGET.share * 100} % right, 0 untrue at proven, ${TARGET.workloads} judged: ${met ? 'met' : 'missed'}`,
    '',
    ...matrix(outcomes),
    '',
    ...outcomes.flatMap(remark),
  ]
    .join('\n')
    .trimEnd();
}

/** Truth down, verdict across; the short names are the vocabulary's, cut. */
function matrix(outcomes: Outcome[]): string[] {
  const pairs = outcomes.flatMap((it) =>
    'verdict' in it ? { truth: it.workload.truth.cause, verdict: it.verdict.cause } : [],
  );
  const rows = [...new Set(pairs.map(({ truth }) => truth))];
  const columns = [...new Set([...rows, ...pairs.map(({ verdict }) => verdict)])];
  const count = (row: string, column: string): string =>
    String(pairs.filter(({ truth, verdict }) => truth === row && verdict === column).length || '.');
  const width = 5;
  const line = (name: string, cells: string[]) => name.padEnd(16) + cells.map((cell) => cell.padStart(width)).join('');
  return [
    line('truth \\ verdict', columns.map(short)),
    ...rows.map((row) =>
      line(
        row,
        columns.map((it) => count(row, it)),
      ),
    ),
  ];
}

const short = (cause: string): string =>
  cause.includes('-')
    ? cause
        .split('-')
        .map((word) => word.slice(0, 2))
        .join('')
    : cause.slice(0, 4);

function remark(outcome: Outcome): string[] {
  const { name, truth } = outcome.workload;
  if ('skipped' in outcome) return [`skipped  ${name}: ${outcome.skipped}`];
  if ('failed' in outcome) return [`failed   ${name}: ${outcome.failed}`];
  const { cause, confidence, right, faults, untrue } = outcome.verdict;
  const said = confidence ? `${cause} (${confidence})` : cause;
  return [
    ...(untrue.length > 0
      ? [`UNTRUE   ${name}: called proven: ${untrue.join(', ')}; the truth is ${truth.cause}`]
      : []),
    ...(right ? [] : [`${cause === 'unknown' ? 'unknown ' : 'wrong   '} ${name}: ${said}; ${faults.join(', ')}`]),
  ];
}
