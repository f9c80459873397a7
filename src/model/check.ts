import type { Finding } from './finding.ts';

/** States of monitoring plugins, in the order of their exit codes. */
export const CHECK_STATES = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'] as const;
export type CheckState = (typeof CHECK_STATES)[number];

/** What -w and -c can be about: the number of stuck sockets, the age of the oldest, their share of the descriptors. */
export const METRICS = ['stuck', 'age', 'fds'] as const;
export type Metric = (typeof METRICS)[number];

/** A range as monitoring plugins write them: an alert outside of it, or with `@` inside, ends included. */
export type Range = { start: number; end: number; alertInside: boolean };

/** One number of the performance data. `value` is absent when it is not known. */
export type Measure = {
  name: string;
  value?: number;
  unit?: 's' | '%';
  warning?: Range;
  critical?: Range;
  most?: number;
};

export type CheckResult = {
  state: CheckState;
  /** Why, in one line. */
  summary: string;
  measures: Measure[];
  /** Without ordinary churn. */
  findings: Finding[];
};
