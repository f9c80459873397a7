import { parseArgs } from 'node:util';
import type { Filter } from '../app/filter.ts';
import type { SourceChoice } from '../app/machine.ts';
import type { CaptureOptions } from '../app/search.ts';
import { UnclosedError } from '../model/errors.ts';

type Command = 'report' | 'record' | 'demo' | 'help' | 'version';

/** The command line, understood and checked. */
export type Arguments = {
  command: Command;
  /** Folder for a new recording. */
  directory?: string;
  from?: string;
  scrub: boolean;
  source: SourceChoice;
  filter: Filter;
  filterText?: string;
  capture: CaptureOptions;
  sockets: boolean;
  all: boolean;
  json: boolean;
  numeric: boolean;
  color: boolean;
  verbose: boolean;
};

const OPTIONS = {
  pid: { type: 'string', short: 'p', multiple: true },
  port: { type: 'string' },
  peer: { type: 'string' },
  command: { type: 'string', short: 'c' },
  unit: { type: 'string' },
  container: { type: 'string' },
  netns: { type: 'string' },
  ipv4: { type: 'boolean', short: '4' },
  ipv6: { type: 'boolean', short: '6' },
  'stuck-after': { type: 'string' },
  sockets: { type: 'boolean' },
  all: { type: 'boolean' },
  json: { type: 'boolean' },
  numeric: { type: 'boolean', short: 'n' },
  'no-color': { type: 'boolean' },
  verbose: { type: 'boolean', short: 'v' },
  from: { type: 'string' },
  source: { type: 'string' },
  'all-holders': { type: 'boolean' },
  held: { type: 'string' },
  scrub: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;

type Values = ReturnType<typeof parse>['values'];

const usage = (message: string, remedy = 'unclosed --help lists the options'): UnclosedError =>
  new UnclosedError('USAGE', message, remedy);

function parse(argv: string[]) {
  try {
    return parseArgs({ args: argv, options: OPTIONS, allowPositionals: true, strict: true, tokens: true });
  } catch (error) {
    // The first sentence names the option; what follows explains parseArgs to programmers.
    throw usage((error as Error).message.split(/\. |\n/)[0] ?? 'not understood');
  }
}

export function parseArguments(argv: string[]): Arguments {
  const { values, positionals, tokens } = parse(argv);
  requireSense(tokens);
  const asked = values.help ? 'help' : values.version ? 'version' : undefined;
  const read: Positionals = asked ? { command: asked, pids: [] } : readPositionals(positionals);
  const { command, directory, pids } = read;
  const filter = readFilter(values, pids);
  const filterText = Object.entries(filter)
    .map(([name, value]) => `${name === 'family' ? 'IPv' : name === 'pids' ? 'pid ' : `${name} `}${value}`)
    .join(', ');
  const stuckAfterMs = values['stuck-after'] === undefined ? undefined : duration(values['stuck-after']);
  const held = oneOf(values.held, '--held', ['auto', 'always', 'never']);
  const source = oneOf(values.source, '--source', ['auto', 'procfs']);
  if (values.scrub && command !== 'record') throw usage('--scrub goes with record', 'unclosed record DIR --scrub');
  if (values.from !== undefined && command !== 'report')
    throw usage('--from goes with the report', 'unclosed --from DIR');
  return {
    command,
    ...(directory !== undefined && { directory }),
    ...(values.from !== undefined && { from: values.from }),
    scrub: values.scrub ?? false,
    source: source ?? 'auto',
    filter,
    ...(filterText !== '' && { filterText }),
    capture: {
      ...(stuckAfterMs !== undefined && { stuckAfterMs }),
      ...(filter.pids && { pids: filter.pids }),
      ...(held && { closedButHeld: held }),
      young: values.sockets === true || values.all === true,
      allHolders: values['all-holders'] ?? false,
    },
    sockets: values.sockets ?? false,
    all: values.all ?? false,
    json: values.json ?? false,
    numeric: values.numeric ?? false,
    color: !(values['no-color'] ?? false),
    verbose: values.verbose ?? false,
  };
}

type Positionals = { command: Command; directory?: string; pids: number[] };

type Tokens = ReturnType<typeof parse>['tokens'];

/** An option that was given twice would silently win over itself, and an empty one match everything or nothing. */
function requireSense(tokens: Tokens): void {
  const seen = new Set<string>();
  for (const token of tokens) {
    if (token.kind !== 'option' || token.value === undefined) continue;
    if (token.value === '') throw usage(`${token.rawName} is empty`, 'give it a value, or leave it out');
    if (token.name !== 'pid' && seen.has(token.name))
      throw usage(`${token.rawName} was given twice`, 'one report has one');
    seen.add(token.name);
  }
}

function readPositionals(positionals: string[]): Positionals {
  const [first, ...rest] = positionals;
  if (first === 'record') {
    const [directory, ...more] = rest;
    if (directory === undefined) throw usage('record needs a folder', 'unclosed record DIR');
    if (more.length > 0) throw usage(`record takes one folder, not also ${more.join(' ')}`);
    return { command: 'record', directory, pids: [] };
  }
  if (first === 'demo' || first === 'help') {
    if (rest.length > 0) throw usage(`${first} takes no "${rest.join(' ')}"`);
    return { command: first, pids: [] };
  }
  const words = first === 'report' ? rest : positionals;
  return {
    command: 'report',
    pids: words.map((word) => {
      if (/^[0-9]+$/.test(word)) return pid(word);
      throw usage(
        `"${word}" is neither a command nor a pid`,
        'commands: report, record, demo, help; for a name: -c NAME',
      );
    }),
  };
}

function readFilter(values: Values, positionalPids: number[]): Filter {
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

/** PID_MAX_LIMIT of 64-bit kernels (include/linux/threads.h). */
const MOST_PID = 4_194_304;

const pid = (text: string): number => wholeNumber(text, '--pid', MOST_PID);

function wholeNumber(text: string, option: string, most: number): number {
  const value = Number(text);
  if (/^[0-9]{1,9}$/.test(text) && value > 0 && value <= most) return value;
  throw usage(`${option} ${text}: not a number from 1 to ${most}`);
}

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

function duration(text: string): number {
  const match = /^([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|min|h|d)?$/.exec(text);
  const unit = UNITS[match?.[2] ?? 's'];
  if (!match || unit === undefined) throw usage(`--stuck-after ${text}: no duration`, 'write 90s, 5m or 1h');
  return Number(match[1]) * unit;
}

function oneOf<T extends string>(text: string | undefined, option: string, choices: T[]): T | undefined {
  if (text === undefined) return undefined;
  const choice = choices.find((it) => it === text);
  if (choice === undefined) throw usage(`${option} ${text}: must be ${choices.join(', ')}`);
  return choice;
}
