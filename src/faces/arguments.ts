import type { Filter } from '../app/filter.ts';
import { type EffectiveLimits, effectiveLimits } from '../app/limits.ts';
import { SOURCES, type SourceChoice } from '../app/machine.ts';
import type { CaptureOptions } from '../app/search.ts';
import { type Options, usage, type Values } from './command.ts';

// Options that several commands share, in groups, with the functions that read their values.

/** Which sockets and processes. */
export const FILTER = {
  pid: { type: 'string', short: 'p', multiple: true },
  port: { type: 'string' },
  peer: { type: 'string' },
  command: { type: 'string', short: 'c' },
  unit: { type: 'string' },
  container: { type: 'string' },
  netns: { type: 'string' },
  ipv4: { type: 'boolean', short: '4' },
  ipv6: { type: 'boolean', short: '6' },
} as const satisfies Options;

/** Where and how a live machine is read. */
export const READING = {
  source: { type: 'string' },
  'all-holders': { type: 'boolean' },
  held: { type: 'string' },
} as const satisfies Options;

/** What counts as stuck and what as alarming, and the file that says so. */
export const LIMITS = {
  'stuck-after': { type: 'string' },
  'warning-sockets': { type: 'string' },
  'warning-age': { type: 'string' },
  'critical-age': { type: 'string' },
  'age-sockets': { type: 'string' },
  'critical-fd-share': { type: 'string' },
  'critical-fds-left': { type: 'string' },
  'warning-full-in': { type: 'string' },
  'critical-full-in': { type: 'string' },
  config: { type: 'string' },
} as const satisfies Options;

/** How a report is printed. */
export const OUTPUT = {
  sockets: { type: 'boolean' },
  all: { type: 'boolean' },
  json: { type: 'boolean' },
  numeric: { type: 'boolean', short: 'n' },
  'no-color': { type: 'boolean' },
  verbose: { type: 'boolean', short: 'v' },
} as const satisfies Options;

export function readFilter(values: Values<typeof FILTER>, positionalPids: number[]): Filter {
  const pids = [...positionalPids, ...(values.pid ?? []).flatMap((list) => list.split(',').map(pid))];
  if (values.ipv4 && values.ipv6) throw usage('-4 and -6 leave nothing over', 'give one of them, or none for both');
  const { peer, command, unit, container, netns } = values;
  return {
    ...(pids.length > 0 && { pids }),
    ...(values.port !== undefined && { port: wholeNumber(values.port, '--port', 65_535) }),
    ...(peer !== undefined && { peer }),
    ...(command !== undefined && { command }),
    ...(unit !== undefined && { unit }),
    ...(container !== undefined && { container }),
    ...(netns !== undefined && { netns }),
    ...(values.ipv4 && { family: 4 as const }),
    ...(values.ipv6 && { family: 6 as const }),
  };
}

/** The filter in words: `pid 812, port 80`; absent when everything is wanted. */
export function describeFilter(filter: Filter): string | undefined {
  const words = Object.entries(filter).map(
    ([name, value]) => `${name === 'family' ? 'IPv' : name === 'pids' ? 'pid ' : `${name} `}${value}`,
  );
  return words.length > 0 ? words.join(', ') : undefined;
}

export const readSource = (values: Values<typeof READING>): SourceChoice =>
  oneOf(values.source, '--source', [...SOURCES]) ?? 'auto';

/** Where and how to look. */
export function readCapture(
  values: Values<typeof READING>,
  { pids }: Filter,
  young: boolean,
): CaptureOptions & { source: SourceChoice } {
  const held = oneOf(values.held, '--held', ['auto', 'always', 'never']);
  return {
    source: readSource(values),
    ...(pids && { pids }),
    ...(held && { closedButHeld: held }),
    young,
    allHolders: values['all-holders'] ?? false,
  };
}

/** PID_MAX_LIMIT of 64-bit kernels (include/linux/threads.h). */
const MOST_PID = 4_194_304;

const pid = (text: string): number => wholeNumber(text, '--pid', MOST_PID);

/** Bare words are pids. */
export const readPids = (words: string[]): number[] =>
  words.map((word) => {
    if (/^[0-9]+$/.test(word)) return pid(word);
    throw usage(
      `"${word}" is neither a command (which comes first) nor a pid`,
      'unclosed --help lists the commands; for a name: --command NAME',
    );
  });

function wholeNumber(text: string, option: string, most: number): number {
  const value = Number(text);
  if (/^[0-9]{1,9}$/.test(text) && value > 0 && value <= most) return value;
  throw usage(`${option} ${text}: not a number from 1 to ${most}`);
}

/** The limits that hold, from the configuration files and the options. */
export const readLimits = (values: Values<typeof LIMITS>, environment: NodeJS.ProcessEnv): Promise<EffectiveLimits> =>
  effectiveLimits({
    options: values,
    environment,
    ...(values.config !== undefined && { config: values.config }),
  });

export function oneOf<T extends string>(text: string | undefined, option: string, choices: T[]): T | undefined {
  if (text === undefined) return undefined;
  const choice = choices.find((it) => it === text);
  if (choice === undefined) throw usage(`${option} ${text}: must be ${choices.join(', ')}`);
  return choice;
}
