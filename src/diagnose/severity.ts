import type { Case, Cause, Finding, Limits, Pattern, Severity } from '../model/finding.ts';
import { formatDuration, formatEndpoint, formatNumber, formatShare } from '../model/words.ts';

const ORDER: readonly Severity[] = ['ok', 'warning', 'critical'];

export const rankOf = (severity: Severity): number => ORDER.indexOf(severity);

export const worst = (severities: Severity[]): Severity =>
  severities.reduce((a, b) => (rankOf(b) > rankOf(a) ? b : a), 'ok');

/** Why a cause is no trouble however many sockets there are and however old they are. */
const HARMLESS: Partial<Record<Cause, string>> = {
  churn: 'they are young, and on their way out',
  'half-close': 'the peer still takes what is sent, as it may',
  'stale-pool': 'the number of pooled connections is bounded, and each is replaced at its next use',
};

/** A pool that grows faster and faster has no bound. In a bounded one connections end steadily, and are replaced. */
const UNBOUNDED: Pattern = 'accelerating';

/** Whether a finding is no trouble by its cause, however large it is. */
export const isHarmless = ({ cause, patterns }: Pick<Finding, 'cause' | 'patterns'>): boolean =>
  reasonOf(cause, patterns) !== undefined;

const reasonOf = (cause: Cause, patterns: Pattern[]): string | undefined =>
  patterns.includes(UNBOUNDED) ? undefined : HARMLESS[cause];

type Judged = Pick<Finding, 'severity' | 'crossed' | 'harmless'>;

/** Compares a case with the limits and says which it crosses. */
export function judgeSeverity(
  subject: Case,
  { cause, age, fds, patterns = [] }: Pick<Finding, 'cause' | 'age' | 'fds'> & { patterns?: Pattern[] },
  limits: Limits,
  /** Of the same process, told in another finding: closed sockets, or those in CLOSE_WAIT. They fill the same table. */
  alsoHeld = 0,
): Judged {
  const crossed: { severity: Severity; limit: string }[] = [];
  const cross = (severity: Severity, limit: string): void => void crossed.push({ severity, limit });

  const concerned = subject.stuck + subject.maybeStuck + subject.closedFds + alsoHeld;
  const inCloseWait = subject.sockets.length + subject.closedFds + alsoHeld;
  if (fds?.limit !== undefined && inCloseWait > limits.criticalFdShare * fds.limit) {
    cross('critical', `they alone use more than ${formatShare(limits.criticalFdShare)} of the descriptor limit`);
  }
  if (fds?.limit !== undefined && fds.limit - fds.open < limits.criticalFdsLeft * fds.limit) {
    cross(
      'critical',
      fds.open >= fds.limit
        ? 'no descriptor is free'
        : `less than ${formatShare(limits.criticalFdsLeft)} of the descriptors left`,
    );
  }
  // What is harmless does not count, however much; a table that it fills up is full all the same.
  const harmless = reasonOf(cause, patterns);
  const filled = result(crossed);
  if (concerned > limits.warningSockets) cross('warning', `more than ${formatNumber(limits.warningSockets)} sockets`);
  if (age && subject.stuck >= limits.ageSockets) {
    if (age.oldestMs > limits.criticalAgeMs) cross('critical', `older than ${formatDuration(limits.criticalAgeMs)}`);
    else if (age.oldestMs > limits.warningAgeMs) cross('warning', `older than ${formatDuration(limits.warningAgeMs)}`);
  }
  if (fds?.fullInMs !== undefined) {
    if (fds.fullInMs < limits.criticalFullInMs)
      cross('critical', `full in less than ${formatDuration(limits.criticalFullInMs)}`);
    else if (fds.fullInMs < limits.warningFullInMs)
      cross('warning', `full in less than ${formatDuration(limits.warningFullInMs)}`);
  }
  const { listener } = subject;
  if (subject.kind === 'backlog' && listener?.limit !== undefined && listener.queue > listener.limit) {
    cross('critical', `accept queue of ${formatEndpoint(listener.local)} is full`);
  }
  const judged = result(crossed);
  if (harmless === undefined) return judged;
  return judged.severity === filled.severity ? filled : { ...filled, harmless };
}

function result(crossed: { severity: Severity; limit: string }[]): Judged {
  const severity = worst(crossed.map((it) => it.severity));
  return { severity, crossed: crossed.filter((it) => it.severity === severity).map(({ limit }) => limit) };
}
