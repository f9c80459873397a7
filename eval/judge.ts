import type { Cause, Confidence, Severity } from '../src/model/finding.ts';
import type { Ready, Truth } from './workload.ts';

/** What we need of a finding in the JSON form. */
export type JsonFinding = {
  cause: Cause;
  confidence: Confidence;
  severity: Severity;
  holder: { pid: number } | null;
  listener?: { pid: number | null };
  direction: string | null;
  sockets: number;
};

export type Verdict = {
  /** Of the finding with most sockets; `none` without one. */
  cause: Cause | 'none';
  confidence?: Confidence;
  right: boolean;
  /** In what the report differs from the truth. */
  faults: string[];
  /** Untrue causes that are called proven, of any finding. */
  untrue: Cause[];
};

/** What may be said of a healthy program: its connections are young, are in use one way, or idle in a pool. */
const HARMLESS: readonly Cause[] = ['churn', 'half-close', 'stale-pool', 'unknown'];

/** Compares a report on the program's processes with the truth. */
export function judge(findings: JsonFinding[], truth: Truth, ready: Ready): Verdict {
  // Well-behaved clients come and go beside the stuck ones.
  const told = truth.cause === 'churn' ? findings : findings.filter(({ cause }) => cause !== 'churn');
  const main = told.toSorted((a, b) => b.sockets - a.sockets)[0];
  const isTrue = (cause: Cause) => cause === truth.cause || cause === 'churn' || truth.also?.includes(cause) === true;
  const untrue = findings.filter(({ cause, confidence }) => confidence === 'proven' && !isTrue(cause));
  const faults = truth.severity === 'ok' ? alarms(findings) : [];
  if (!main) {
    if (truth.cause !== 'none' && truth.cause !== 'churn') faults.push('nothing was found');
  } else if (truth.cause === 'none') {
    if (!HARMLESS.includes(main.cause)) faults.push(`a healthy program is said to be ${main.cause}`);
  } else {
    faults.push(...differences(main, truth, ready));
  }
  return {
    cause: main?.cause ?? 'none',
    ...(main && { confidence: main.confidence }),
    right: faults.length === 0,
    faults,
    untrue: untrue.map(({ cause }) => cause),
  };
}

const alarms = (findings: JsonFinding[]): string[] =>
  findings.flatMap(({ severity, cause }) => (severity === 'ok' ? [] : `${severity} (${cause}) for something harmless`));

function differences(found: JsonFinding, truth: Truth, ready: Ready): string[] {
  const faults: string[] = [];
  if (!isRightCause(found.cause, truth)) faults.push(`cause ${found.cause}`);
  if (truth.severity === 'above' && found.severity === 'ok') faults.push('severity ok');
  if (truth.direction !== undefined && found.direction !== truth.direction) {
    faults.push(`direction ${found.direction}`);
  }
  if (truth.sockets !== undefined && !isAbout(found.sockets, truth.sockets)) {
    faults.push(`${found.sockets} sockets, not ${truth.sockets}`);
  }
  const pid = found.holder?.pid ?? found.listener?.pid ?? undefined;
  const isRight =
    truth.holder === 'nobody' ? found.holder === null && ready.pids.includes(pid ?? 0) : pid === ready.pid;
  if (!isRight) faults.push(`process ${pid ?? 'unknown'}, not ${ready.pid}`);
  return faults;
}

const isRightCause = (cause: Cause, truth: Truth): boolean =>
  cause === truth.cause || (cause === 'unknown' && truth.undecidable !== undefined);

/** Of connections that come and go, a few can be in CLOSE_WAIT at the moment of the look. */
const isAbout = (count: number, truth: number): boolean => count >= truth && count <= truth + 5;
