import { parseCount, parseDuration, parseShare } from '../model/amounts.ts';
import { UnclosedError } from '../model/errors.ts';
import { DEFAULT_LIMITS, type Limits } from '../model/finding.ts';
import { formatDuration, formatNumber, formatShare } from '../model/words.ts';

type Kind = 'duration' | 'count' | 'share';

/** `off` is the value with which a limit is never crossed; without it, the limit cannot be turned off. */
type Setting = { name: string; kind: Kind; off?: number };

const NEVER = Number.POSITIVE_INFINITY;

/** Names as in the file; as options they have dashes: --stuck-after. */
const SETTINGS: Record<keyof Limits, Setting> = {
  stuckAfterMs: { name: 'stuck_after', kind: 'duration' },
  warningSockets: { name: 'warning_sockets', kind: 'count', off: NEVER },
  warningAgeMs: { name: 'warning_age', kind: 'duration', off: NEVER },
  criticalAgeMs: { name: 'critical_age', kind: 'duration', off: NEVER },
  ageSockets: { name: 'age_sockets', kind: 'count' },
  criticalFdShare: { name: 'critical_fd_share', kind: 'share', off: NEVER },
  criticalFdsLeft: { name: 'critical_fds_left', kind: 'share', off: 0 },
  warningFullInMs: { name: 'warning_full_in', kind: 'duration', off: 0 },
  criticalFullInMs: { name: 'critical_full_in', kind: 'duration', off: 0 },
};

const LIMITS = Object.keys(SETTINGS) as (keyof Limits)[];

const optionOf = (limit: keyof Limits): string => `--${SETTINGS[limit].name.replaceAll('_', '-')}`;

const EXAMPLES: Record<Kind, string> = {
  duration: '90s, 5m, 1h or 2d',
  count: 'a whole number such as 100',
  share: '50% or 0.5',
};

const allowed = ({ kind, off }: Setting): string => EXAMPLES[kind] + (off === undefined ? '' : ', or off');

/** The source of limits that were given as options. */
const OPTION = 'option';

/** Limits of one source: a file, or the command line. */
export type LimitLayer = { source: string; limits: Partial<Limits> };

/** Reads the limits out of a configuration file that has been parsed. Whatever is not understood is an error. */
export function limitsOfTable(table: unknown, file: string): LimitLayer {
  const layer: LimitLayer = { source: file, limits: {} };
  for (const [key, section] of entriesOf(table)) {
    if (key !== 'limits') throw invalid(`${file}: there is no setting ${key}`, 'all settings are below [limits]');
    if (!isTable(section))
      throw invalid(`${file}: limits is no table`, 'write [limits] on a line, and the limits below');
    for (const [name, value] of entriesOf(section)) {
      const limit = LIMITS.find((it) => SETTINGS[it].name === name);
      if (limit === undefined) throw invalid(`${file}: there is no limit ${name}`, `limits: ${names().join(', ')}`);
      const read = readValue(SETTINGS[limit], value);
      if (read === undefined) {
        throw invalid(`${file}: ${name} = ${shown(value)} is no ${SETTINGS[limit].kind}`, hint(SETTINGS[limit]));
      }
      layer.limits[limit] = read;
    }
  }
  return layer;
}

/** The same out of the values of options, by their names without dashes in front. */
export function limitsOfOptions(values: Readonly<Record<string, unknown>>): LimitLayer {
  const layer: LimitLayer = { source: OPTION, limits: {} };
  for (const limit of LIMITS) {
    const value = values[optionOf(limit).slice(2)];
    if (value === undefined) continue;
    const read = readValue(SETTINGS[limit], value);
    if (read === undefined) {
      const { kind } = SETTINGS[limit];
      throw new UnclosedError('USAGE', `${optionOf(limit)} ${value}: no ${kind}`, `write ${allowed(SETTINGS[limit])}`);
    }
    layer.limits[limit] = read;
  }
  return layer;
}

const names = (): string[] => LIMITS.map((limit) => SETTINGS[limit].name);

const invalid = (message: string, remedy: string): UnclosedError =>
  new UnclosedError('CONFIG_INVALID', message, remedy);

const hint = (setting: Setting): string =>
  `write ${allowed(setting)}${setting.kind === 'count' ? '' : ', as a text in quotation marks'}`;

/** A date is an object too. */
const isTable = (value: unknown): value is Record<string, unknown> =>
  Object.prototype.toString.call(value) === '[object Object]';

const entriesOf = (table: unknown): [string, unknown][] => (isTable(table) ? Object.entries(table) : []);

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  try {
    return String(value);
  } catch {
    return 'a table'; // with a setting called toString
  }
}

/** Numbers of TOML mean what their digits do as a text: seconds, a count, a share. */
function readValue({ kind, off }: Setting, value: unknown): number | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const text = String(value);
  if (text === 'off') return off;
  if (kind === 'count') return parseCount(text);
  return kind === 'share' ? parseShare(text) : parseDuration(text);
}

/** A limit that is not the default, in words. */
export type ChangedLimit = { name: string; value: string; source: string };

/** Puts the layers on top of the defaults, each over those before. */
export function mergeLimits(layers: readonly LimitLayer[]): { limits: Limits; changed: ChangedLimit[] } {
  const limits: Limits = { ...DEFAULT_LIMITS };
  const sources = new Map<keyof Limits, string>();
  for (const layer of layers) {
    for (const limit of LIMITS) {
      const value = layer.limits[limit];
      if (value === undefined) continue;
      limits[limit] = value;
      sources.set(limit, layer.source === OPTION ? optionOf(limit) : layer.source);
    }
  }
  const tell = (limit: keyof Limits): string =>
    `${SETTINGS[limit].name} ${written(limit, limits[limit])} (${sources.get(limit) ?? 'default'})`;
  requireOrder(limits, tell);
  const changed = [...sources].map(([limit, source]) => ({
    name: SETTINGS[limit].name,
    value: written(limit, limits[limit]),
    source,
  }));
  return { limits, changed };
}

/** What is critical must be worse than what is a warning, or the warning would never come. */
function requireOrder(limits: Limits, tell: (limit: keyof Limits) => string): void {
  const pairs = [
    { milder: 'warningAgeMs', worse: 'criticalAgeMs', fits: limits.warningAgeMs <= limits.criticalAgeMs },
    { milder: 'warningFullInMs', worse: 'criticalFullInMs', fits: limits.warningFullInMs >= limits.criticalFullInMs },
  ] as const;
  for (const { milder, worse, fits } of pairs) {
    const { off } = SETTINGS[milder];
    if (fits || limits[milder] === off) continue;
    throw invalid(`${tell(milder)} is beyond ${tell(worse)}`, `set ${SETTINGS[worse].name} as well, or turn it off`);
  }
}

function written(limit: keyof Limits, value: number): string {
  const { kind, off } = SETTINGS[limit];
  if (value === off) return 'off';
  if (kind === 'duration') return formatDuration(value);
  return kind === 'share' ? formatShare(value) : formatNumber(value);
}
