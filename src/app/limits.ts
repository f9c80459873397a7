import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { isDenied, UnclosedError } from '../model/errors.ts';
import type { Limits } from '../model/finding.ts';
import { type ChangedLimit, type LimitLayer, limitsOfOptions, limitsOfTable, mergeLimits } from '../parse/limits.ts';

/** The limits that hold, those that are not the default with where they come from, and the files that were read. */
export type EffectiveLimits = { limits: Limits; changed: ChangedLimit[]; files: string[] };

export type LimitSources = {
  /** Values of options by their names without dashes; other options may be among them. */
  options?: Readonly<Record<string, unknown>>;
  /** A file that must be there. */
  config?: string;
  environment?: NodeJS.ProcessEnv;
  /** Of the machine; another one in tests. */
  system?: string;
};

const SYSTEM_FILE = '/etc/unclosed/config.toml';

/** Reads the configuration files: of the machine, of the user, the one that was named. Later ones win, options over all. */
export async function effectiveLimits(sources: LimitSources): Promise<EffectiveLimits> {
  const { options = {}, config, environment = {}, system = SYSTEM_FILE } = sources;
  const user = userFile(environment);
  const candidates = [
    { path: system, ignored: ABSENT },
    ...(user === undefined ? [] : [{ path: user, ignored: NOT_OURS }]),
    ...(config === undefined ? [] : [{ path: config, ignored: [] }]),
  ];
  const layers: LimitLayer[] = [];
  for (const { path, ignored } of candidates) {
    const text = readFile(path, ignored);
    if (text !== undefined) layers.push(limitsOfTable(await parseToml(text, path), path));
  }
  const files = layers.map(({ source }) => source);
  return { ...mergeLimits([...layers, limitsOfOptions(options)]), files };
}

/** The XDG base directory specification has relative paths ignored. */
function userFile({ XDG_CONFIG_HOME: base = '', HOME: home = '' }: NodeJS.ProcessEnv): string | undefined {
  const folder = isAbsolute(base) ? base : isAbsolute(home) ? join(home, '.config') : undefined;
  return folder === undefined ? undefined : join(folder, 'unclosed/config.toml');
}

const ABSENT: readonly string[] = ['ENOENT', 'ENOTDIR'];
/** Who became another user with sudo or su may still have the old one's HOME. */
const NOT_OURS: readonly string[] = [...ABSENT, 'EACCES'];

function readFile(path: string, ignored: readonly string[]): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    if (ignored.includes(code)) return undefined;
    const remedy = isDenied(error) ? 'let it be read by who runs unclosed' : 'name a file that can be read';
    throw new UnclosedError('CONFIG_UNREADABLE', `${path}: ${code}`, remedy, { cause: error });
  }
}

/** The parser is only loaded where there is a file. */
async function parseToml(text: string, path: string): Promise<unknown> {
  const { parse, TomlError } = await import('smol-toml');
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = error.message.split('\n')[0]?.replace(/^Invalid TOML document: /, '');
    throw new UnclosedError('CONFIG_INVALID', `${path}, line ${error.line}: ${what}`, 'the file is TOML (toml.io)');
  }
}
