import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UnclosedError } from '../model/errors.ts';
import type { Streams } from './exit.ts';

export type Options = NonNullable<ParseArgsConfig['options']>;

/** The values of options. */
export type Values<O extends Options> = ReturnType<typeof parse<O>>['values'];

/** Where a command writes, and what surrounds it. */
export type Surroundings = Streams & { environment: NodeJS.ProcessEnv };

/** One command: its options as util.parseArgs wants them, its help text, and what it does. Gives the exit code. */
export type Command = {
  help: string;
  options: Options;
  run(argv: string[], surroundings: Surroundings): Promise<number>;
};

/** Makes a command out of its options and what it does with their values. */
export function command<const O extends Options>(
  help: string,
  options: O,
  run: (values: Values<O>, positionals: string[], surroundings: Surroundings) => Promise<number>,
): Command {
  return {
    help,
    options,
    run(argv, surroundings) {
      const { values, positionals, tokens } = parse(argv, options);
      requireSense(tokens, options);
      return run(values, positionals, surroundings);
    },
  };
}

export const usage = (message: string, remedy = 'unclosed --help lists the options'): UnclosedError =>
  new UnclosedError('USAGE', message, remedy);

function parse<const O extends Options>(argv: string[], options: O) {
  try {
    return parseArgs({ args: argv, options, allowPositionals: true, strict: true, tokens: true });
  } catch (error) {
    // The first sentence names the option; what follows explains parseArgs to programmers.
    throw usage((error as Error).message.split(/\. |\n/)[0] ?? 'not understood');
  }
}

type Token = { kind: string; name?: string; rawName?: string; value?: string | undefined };

/** An option that was given twice would silently win over itself, and an empty one match everything or nothing. */
function requireSense(tokens: readonly Token[], options: Options): void {
  const seen = new Set<string>();
  for (const { kind, name = '', rawName, value } of tokens) {
    if (kind !== 'option' || value === undefined) continue;
    if (value === '') throw usage(`${rawName} is empty`, 'give it a value, or leave it out');
    if (!options[name]?.multiple && seen.has(name)) throw usage(`${rawName} was given twice`, 'one report has one');
    seen.add(name);
  }
}

export function noPositionals(name: string, positionals: string[]): void {
  if (positionals.length > 0) throw usage(`${name} takes no "${positionals.join(' ')}"`);
}
