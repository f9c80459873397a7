import { closeSync, constants, fstatSync, fsyncSync, lstatSync, openSync, readFileSync, writeSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { UnclosedError } from '../model/errors.ts';
import type { Actor, LogEntry } from '../model/log.ts';
import { makeFolder } from './folder.ts';
import { VERSION } from './version.ts';

// What was done to this machine is kept: a log of one JSON object a line, and recordings made before acting.

/**
 * The folder for it, which need not be there yet. Root's is fixed: a variable may have been set by somebody else.
 */
export function stateDirectory(named: string | undefined, environment: NodeJS.ProcessEnv): string {
  if (named !== undefined) return resolve(named);
  if (process.geteuid?.() === 0) return '/var/lib/unclosed';
  const { XDG_STATE_HOME: home } = environment;
  return join(home?.startsWith('/') ? home : join(userInfo().homedir, '.local/state'), 'unclosed');
}

/** What lies in it is believed, so it must be of this user alone. */
function requireOwn(directory: string): void {
  const status = lstatSync(directory);
  if (!status.isDirectory()) throw new Error('is no folder');
  if (status.uid !== process.geteuid?.() || (status.mode & 0o022) !== 0) throw new Error('others may write to it');
}

const unwritable = (path: string, error: unknown): UnclosedError =>
  new UnclosedError(
    'STATE_UNWRITABLE',
    `${path}: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`,
    'nothing is done that is not written down: --state DIR names another folder, of this user alone',
    { cause: error },
  );

/** The log of a state directory, to which lines are only ever added. */
export class ActionLog {
  readonly directory: string;
  readonly path: string;
  readonly run: string;
  readonly #command: LogEntry['command'];
  readonly #by: Actor;

  constructor(directory: string, command: LogEntry['command'], environment: NodeJS.ProcessEnv) {
    this.directory = directory;
    this.path = join(directory, 'actions.jsonl');
    this.#command = command;
    // Readable, in order of time, and different for two runs of one second.
    this.run = `${new Date().toISOString().replace(/[-:]|\.[0-9]+/g, '')}-${process.pid}`;
    const { username } = userInfoOr();
    this.#by = {
      uid: process.getuid?.() ?? -1,
      ...(username !== undefined && { user: username }),
      ...(environment.SUDO_USER !== undefined && { sudo_user: environment.SUDO_USER.slice(0, 64) }),
      pid: process.pid,
    };
  }

  /** Makes the folder. Throws where it cannot be written to: then nothing must be done. */
  prepare(): void {
    try {
      makeFolder(this.directory);
      requireOwn(this.directory);
    } catch (error) {
      throw unwritable(this.directory, error);
    }
  }

  /** Returns when the line is on the disk. */
  append(event: LogEntry['event'], what: Record<string, unknown>): void {
    this.prepare();
    const entry: LogEntry = {
      schema: 'unclosed.log/1',
      at: new Date().toISOString(),
      run: this.run,
      command: this.#command,
      event,
      by: this.#by,
      boot: bootId(),
      version: VERSION,
      what,
    };
    try {
      const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW } = constants;
      const fd = openSync(this.path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
      try {
        if (!fstatSync(fd).isFile()) throw new Error('is no regular file');
        // A line that a full disk has cut short must not swallow this one.
        writeSync(fd, `\n${JSON.stringify(entry)}\n`);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      throw unwritable(this.path, error);
    }
  }

  /** Every line that can be read, the oldest first. */
  entries(): LogEntry[] {
    let text: string;
    try {
      requireOwn(this.directory);
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw unwritable(this.path, error);
    }
    return text.split('\n').flatMap((line) => {
      const entry = line === '' ? undefined : parseEntry(line);
      return entry ? [entry] : [];
    });
  }
}

function parseEntry(line: string): LogEntry | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    return isEntry(entry) ? entry : undefined;
  } catch {
    return undefined; // cut short
  }
}

function isEntry(value: unknown): value is LogEntry {
  if (typeof value !== 'object' || value === null) return false;
  const { schema, at, run, command, event, by, boot, what } = value as Partial<LogEntry>;
  const objects = [by, what].every((it) => typeof it === 'object' && it !== null);
  const texts = [at, run, command, event, boot].every((it) => typeof it === 'string');
  return schema === 'unclosed.log/1' && texts && objects;
}

export const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();

function userInfoOr(): { username?: string } {
  try {
    return userInfo();
  } catch {
    return {}; // a uid without a name
  }
}
