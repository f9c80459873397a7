import type { Diagnosis, Finding, Limits } from '../../model/finding.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { formatNumber } from '../../model/words.ts';
import type { CaptureText } from '../../parse/captures/capture.ts';

/** The states that a summary counts; nothing when the paste lists sockets, which tell more. */
export function countsOf({ captures }: CaptureText): Snapshot['byState'] | undefined {
  if (captures.some(({ rows }) => rows.length > 0)) return undefined;
  const counts = captures.flatMap((capture) => capture.counts);
  if (counts.length === 0) return undefined;
  const byState: Snapshot['byState'] = {};
  // The last of several counts of one state is the latest.
  for (const { state, count } of counts) byState[state] = count;
  return byState;
}

/** All that can be said of a number. */
export function diagnoseCount(count: number, command: string, { warningSockets }: Limits): Diagnosis {
  const many = count > warningSockets;
  const finding: Finding = {
    severity: many ? 'warning' : 'ok',
    crossed: many ? [`more than ${formatNumber(warningSockets)} sockets`] : [],
    cause: 'unknown',
    confidence: 'undecided',
    patterns: [],
    subject: {
      kind: 'counted',
      sockets: [],
      stuck: 0,
      maybeStuck: count,
      closedFds: 0,
      coHolders: [],
      direction: 'unknown',
      peers: [],
    },
    evidence: [{ fact: `${formatNumber(count)} in CLOSE_WAIT`, says: 'a number tells neither whose they are nor why' }],
    forecast: [],
    next: [{ command, why: 'on that machine: names the processes, queues and ages' }],
  };
  return {
    status: finding.severity,
    findings: count > 0 ? [finding] : [],
    totals: { closeWait: count, stuck: 0, maybeStuck: count },
    gaps: [],
  };
}
