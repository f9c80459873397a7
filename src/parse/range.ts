import { parseCount, parseDuration } from '../model/amounts.ts';
import { METRICS, type Metric, type Range } from '../model/check.ts';
import { UnclosedError } from '../model/errors.ts';

/** Ranges by what they are about. */
export type Thresholds = Partial<Record<Metric, Range>>;

const PERCENT = /^([0-9]{1,3}(?:\.[0-9]{1,3})?)%?$/;

/** Ends of ranges in the unit of the performance data: a number, seconds, percent. */
const READ: Record<Metric, (text: string) => number | undefined> = {
  stuck: parseCount,
  age: (text) => {
    const milliseconds = parseDuration(text);
    return milliseconds === undefined ? undefined : milliseconds / 1000;
  },
  fds: (text) => {
    const percent = PERCENT.exec(text)?.[1];
    return percent === undefined ? undefined : Number(percent);
  },
};

/** What `-w` or `-c` was given: RANGE for the number of stuck sockets, or METRIC=RANGE, several with commas between. */
export function parseThresholds(option: string, values: readonly string[]): Thresholds {
  const thresholds: Thresholds = {};
  for (const part of values.flatMap((value) => value.split(','))) {
    const equals = part.indexOf('=');
    const name = equals < 0 ? 'stuck' : part.slice(0, equals);
    const metric = METRICS.find((it) => it === name);
    if (metric === undefined) throw usage(`${option} ${part}: there is no ${name}`, `metrics: ${METRICS.join(', ')}`);
    if (thresholds[metric]) throw usage(`${option}: ${metric} was given twice`, 'one check has one range for each');
    const range = parseRange(part.slice(equals + 1), READ[metric]);
    if (!range) throw usage(`${option} ${part}: no range`, EXAMPLES);
    thresholds[metric] = range;
  }
  return thresholds;
}

const EXAMPLES =
  'ranges: 10 (0 to 10 is good), 10: (10 and more), ~:10 (at most 10), 10:20, @10:20 (not these); age=5m, fds=50%';

const usage = (message: string, remedy: string): UnclosedError => new UnclosedError('USAGE', message, remedy);

// https://www.monitoring-plugins.org/doc/guidelines.html#THRESHOLDFORMAT
function parseRange(text: string, read: (text: string) => number | undefined): Range | undefined {
  const match = /^(@?)(?:([^:@]*):)?([^:@]*)$/.exec(text);
  if (!match) return undefined;
  const [, at, from, to = ''] = match;
  // Without a colon it is the end alone, so there must be one.
  if (from === undefined && to === '') return undefined;
  const start = from === '~' ? Number.NEGATIVE_INFINITY : from ? read(from) : 0;
  const end = to === '' ? Number.POSITIVE_INFINITY : read(to);
  if (start === undefined || end === undefined || start > end) return undefined;
  return { start, end, alertInside: at === '@' };
}

/** Whether a value is one to alert on. */
export const alerts = ({ start, end, alertInside }: Range, value: number): boolean =>
  (value >= start && value <= end) === alertInside;
