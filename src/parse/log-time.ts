/** When a line of a log was written. Without a zone in the line, as if its hours were those of UTC. */
export type LineTime = { ms: number; zoned: boolean };

const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';
const DAY_MS = 86_400_000;

/** Only so much of a line is looked at: times stand at the beginning, or in one of the first fields of JSON. */
const LONGEST_HEAD = 400;

/** Days since 1970 of a day in the Gregorian calendar: years begin in March, so that the leap day is the last. */
function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return (
    era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
  );
}

type Fields = { [name: string]: string | undefined };

// Fields by name: y, M (number or name), d, h, m, s, f (fraction), z (zone), p (AM or PM).
const HOUR = '(?<h>[0-9]{1,2}):(?<m>[0-9]{2}):(?<s>[0-9]{2})';
const NAME = '(?<M>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const FRACTION = '(?:[.,](?<f>[0-9]{1,9}))?';
const ZONE = '(?: ?(?<z>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})(?![0-9]))?';

const FORMS: readonly RegExp[] = [
  // ISO 8601 and RFC 3339; log4j and Python (comma), nginx's error log and Go (slashes), PostgreSQL (UTC behind a space)
  new RegExp(`(?<![0-9])(?<y>[0-9]{4})[-/](?<M>[0-9]{2})[-/](?<d>[0-9]{2})[T ]${HOUR}${FRACTION}${ZONE}`),
  // access logs: 10/Oct/2026:13:55:36 -0700
  new RegExp(`(?<d>[0-9]{2})/${NAME}/(?<y>[0-9]{4}):${HOUR}${ZONE}`),
  // PHP: 02-Jan-2026 03:04:05 UTC; Redis: 02 Jan 2026 03:04:05.123
  new RegExp(`(?<![0-9])(?<d>[0-9]{1,2})[- ]${NAME}[- ](?<y>[0-9]{4}) ${HOUR}${FRACTION}${ZONE}`),
  // ctime(3), Apache httpd: Wed Oct 11 14:32:52.123456 2026
  new RegExp(`\\b${NAME} {1,2}(?<d>[0-9]{1,2}) ${HOUR}${FRACTION} (?<y>20[0-9]{2})(?![0-9])`),
  // java.util.logging: Jan 02, 2026 3:04:05 AM
  new RegExp(`\\b${NAME} (?<d>[0-9]{1,2}), (?<y>[0-9]{4}) ${HOUR} (?<p>AM|PM)`),
  // syslog (RFC 3164), without a year
  new RegExp(`^(?:<[0-9]{1,3}>)?${NAME} {1,2}(?<d>[0-9]{1,2}) ${HOUR}`),
  // klog of Kubernetes: E0102 15:04:05.000000
  new RegExp(`^[IWEF](?<M>[0-9]{2})(?<d>[0-9]{2}) ${HOUR}${FRACTION}`),
];

// Seconds, milliseconds, microseconds or nanoseconds since 1970: at the beginning, or as JSON loggers write it.
const EPOCH = /^\[?(?<e>1[0-9]{9}(?:[0-9]{3}){0,3})(?:\.(?<f>[0-9]{1,9}))?(?![0-9])/;
const JSON_EPOCH =
  /"(?:time|ts|t|timestamp|@timestamp|epoch|date)" ?: ?"?(?<e>1[0-9]{9}(?:[0-9]{3}){0,3})(?:\.(?<f>[0-9]{1,9}))?(?![0-9])/;

const fraction = (digits = ''): number => Number(`0.${digits || '0'}`) * 1000;

function fromEpoch({ e = '', f }: Fields): LineTime {
  const seconds = Number(e.slice(0, 10));
  return { ms: Math.floor(seconds * 1000 + fraction(e.length > 10 ? e.slice(10) : f)), zoned: true };
}

const monthOf = (text: string): number => (/^[0-9]/.test(text) ? Number(text) : MONTHS.indexOf(text) / 3 + 1);

function zoneMs(zone: string): number {
  const [, sign, hours, minutes] = /^([+-])([0-9]{2}):?([0-9]{2})$/.exec(zone) ?? [];
  const ms = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000;
  return sign === '-' ? -ms : ms;
}

function fromFields({ y, M = '', d, h, m, s, f, z, p }: Fields, near: number): LineTime | undefined {
  const [month, day, minute, second] = [monthOf(M), Number(d), Number(m), Number(s)];
  const hour = p === undefined ? Number(h) : (Number(h) % 12) + (p === 'PM' ? 12 : 0);
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return undefined;
  const at = (year: number): number =>
    daysOf(year, month, day) * DAY_MS + (hour * 3600 + minute * 60 + second) * 1000 + Math.floor(fraction(f));
  if (y !== undefined) return { ms: at(Number(y)) - zoneMs(z ?? ''), zoned: z !== undefined };
  // The last such day that is not in the future; a day is left for zones.
  const year = 1970 + Math.floor(near / (365.2425 * DAY_MS));
  const candidates = [at(year + 1), at(year), at(year - 1)];
  const ms = candidates.find((candidate) => candidate <= near + DAY_MS);
  return ms === undefined ? undefined : { ms, zoned: false };
}

/** The first time in a line. `near` (milliseconds since 1970) is when it was read: it decides the year where there is none. */
export function parseLineTime(line: string, near: number): LineTime | undefined {
  const head = line.slice(0, LONGEST_HEAD);
  const epoch = EPOCH.exec(head)?.groups ?? (head.includes('"') ? JSON_EPOCH.exec(head)?.groups : undefined);
  const time = epoch ? fromEpoch(epoch) : fromForms(head, near);
  // A time in the future is none of writing this line.
  return time && time.ms <= near + DAY_MS ? time : undefined;
}

function fromForms(head: string, near: number): LineTime | undefined {
  for (const form of FORMS) {
    const groups = form.exec(head)?.groups;
    if (groups) return fromFields(groups, near);
  }
  return undefined;
}
