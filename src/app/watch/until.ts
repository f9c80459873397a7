import { UnclosedError } from '../../model/errors.ts';
import type { WatchFrame } from '../../model/watch.ts';

// `--until`: METRIC OPERATOR NUMBER, several of them joined by `and` or `or`. man/unclosed.8 describes it.

export type Until = { text: string; holds(frame: WatchFrame): boolean };

type Metric = { kind: 'count' | 'share' | 'duration'; of(frame: WatchFrame): number | undefined };

/** Of what is not known nothing is true. */
const largest = (values: (number | undefined)[]): number | undefined => {
  const known = values.filter((value) => value !== undefined);
  return known.length > 0 ? Math.max(...known) : undefined;
};

const rowsOf = ({ rows }: WatchFrame): WatchFrame['rows'] => rows.filter(({ count }) => count > 0);

const METRICS: Readonly<Record<string, Metric>> = {
  stuck: {
    kind: 'count',
    of: ({ diagnosis: { totals } }) => totals.stuck + totals.maybeStuck,
  },
  close_wait: { kind: 'count', of: ({ diagnosis: { totals } }) => totals.closeWait },
  closed_but_held: { kind: 'count', of: ({ diagnosis: { totals } }) => totals.closedButHeld },
  fds: {
    kind: 'share',
    of: (frame) =>
      largest(
        rowsOf(frame).map(({ finding: { fds } }) => (fds?.limit === undefined ? undefined : fds.open / fds.limit)),
      ),
  },
  oldest: { kind: 'duration', of: (frame) => largest(rowsOf(frame).map(({ finding }) => finding.age?.oldestMs)) },
  full_in: {
    kind: 'duration',
    of: (frame) => {
      const soonest = largest(
        rowsOf(frame).map(({ finding: { fds } }) => (fds?.fullInMs === undefined ? undefined : -fds.fullInMs)),
      );
      return soonest === undefined ? undefined : -soonest;
    },
  },
  entered: { kind: 'count', of: ({ flow }) => flow.enteredPerMinute },
  left: { kind: 'count', of: ({ flow }) => flow.leftPerMinute },
  growth: {
    kind: 'count',
    of: ({ flow: { enteredPerMinute, leftPerMinute } }) =>
      enteredPerMinute === undefined || leftPerMinute === undefined ? undefined : enteredPerMinute - leftPerMinute,
  },
};

const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '=': (a, b) => a === b,
};

const UNITS: Readonly<Record<Metric['kind'], Readonly<Record<string, number>>>> = {
  count: { '': 1 },
  share: { '%': 0.01 },
  duration: { '': 1000, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 },
};

const EXAMPLES = "write --until 'stuck > 100', 'fds >= 80%', 'oldest > 10m or growth > 5'";

export function parseUntil(text: string): Until {
  const words = text.trim().split(/\s+(and|or)\s+/);
  const joints = new Set(words.filter((_, index) => index % 2 === 1));
  if (joints.size > 1) throw wrong(text, 'either and or or, not both');
  const conditions = words.filter((_, index) => index % 2 === 0).map((word) => parseCondition(word));
  const holds = joints.has('or')
    ? (frame: WatchFrame) => conditions.some((condition) => condition(frame))
    : (frame: WatchFrame) => conditions.every((condition) => condition(frame));
  return { text, holds };
}

function parseCondition(text: string): (frame: WatchFrame) => boolean {
  const match = /^([a-z_]+)\s*(>=|<=|>|<|=)\s*([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*(%|[a-z]*)$/.exec(text);
  if (!match) throw wrong(text, 'not understood');
  const [, name = '', operator = '', number = '', unit = ''] = match;
  const metric = Object.hasOwn(METRICS, name) ? METRICS[name] : undefined;
  if (!metric) throw wrong(text, `there is no ${name}, only ${Object.keys(METRICS).join(', ')}`);
  const units = UNITS[metric.kind];
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  const compare = COMPARE[operator];
  if (factor === undefined || !compare) throw wrong(text, `${name} is ${KINDS[metric.kind]}`);
  const limit = Number(number) * factor;
  return (frame) => {
    const value = metric.of(frame);
    return value !== undefined && compare(value, limit);
  };
}

const KINDS: Readonly<Record<Metric['kind'], string>> = {
  count: 'a number without unit',
  share: 'a share such as 80%',
  duration: 'a duration such as 90s, 10m or 2h',
};

const wrong = (text: string, why: string): UnclosedError =>
  new UnclosedError('USAGE', `--until ${text}: ${why}`, EXAMPLES);
