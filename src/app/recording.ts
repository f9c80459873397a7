import { lstatSync, readdirSync, readFileSync, realpathSync, type Stats, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ReplayingMachine } from '../kernel/replayer.ts';
import { Tape } from '../kernel/tape.ts';
import { isDenied, UnclosedError } from '../model/errors.ts';
import { makeFolder } from './folder.ts';
import { VERSION } from './version.ts';

const FORMAT = 'unclosed.recording/1';

/** Says what a recording is and which files it has, so that a missing or cut one is noticed. */
type Meta = {
  format: typeof FORMAT;
  tool: string;
  byteOrder: 'LE' | 'BE';
  scrubbed: boolean;
  /** Size of each file, by its path. */
  files: Record<string, number>;
  /** What was refused, with the errno. */
  refused: Record<string, string>;
};

/** Further answers to the same question stand beside the first. */
const fileName = (question: string, turn: number): string => (turn === 0 ? question : `${question}~${turn + 1}`);

/** The files of a recording, in the order in which they are written: what says that it is whole comes last. */
export function* recordingFiles(
  tape: Tape,
  scrubbed: boolean,
): Generator<{ name: string; bytes: Uint8Array | string }> {
  const meta: Meta = { format: FORMAT, tool: VERSION, byteOrder: 'LE', scrubbed, files: {}, refused: {} };
  for (const [question, answers] of tape.entries()) {
    for (const [turn, answer] of answers.entries()) {
      const name = fileName(question, turn);
      if ('refused' in answer) {
        meta.refused[name] = answer.refused;
        continue;
      }
      meta.files[name] = answer.bytes.length;
      yield { name, bytes: answer.bytes };
    }
  }
  yield { name: 'meta.json', bytes: `${JSON.stringify(meta, null, 2)}\n` };
}

/** Writes every answer to a file of its own below `directory`, which must be empty or not exist. */
export function writeRecording(tape: Tape, directory: string, scrubbed: boolean): void {
  try {
    makeFolder(directory);
    for (const { name, bytes } of recordingFiles(tape, scrubbed)) {
      const path = join(directory, name);
      makeFolder(dirname(path));
      writeFileSync(path, bytes, OWN_NEW_FILE);
    }
  } catch (error) {
    throw new UnclosedError(
      'RECORDING_WRITE',
      `${directory}: ${(error as Error).message}`,
      'choose a folder with room that you may write to',
      { cause: error },
    );
  }
}

/** A file or link that somebody else has put there meanwhile is not written through. */
const OWN_NEW_FILE = { flag: 'wx', mode: 0o600 } as const;

/** Refuses to mix a recording with what is there already. */
export function requireEmpty(directory: string): void {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new UnclosedError('RECORDING_WRITE', `${directory}: ${(error as Error).message}`, 'name a folder', {
      cause: error,
    });
  }
  const { uid, mode } = statSync(directory);
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) {
    throw new UnclosedError('RECORDING_WRITE', `${directory}: others may write to this folder`, 'name a new folder');
  }
  if (names.length === 0) return;
  throw new UnclosedError('RECORDING_EXISTS', `${directory} is not empty`, 'name a new folder');
}

/** Opens a recording and checks that it is whole. */
export function openRecording(directory: string): ReplayingMachine {
  const meta = readMeta(directory);
  const tape = new Tape();
  const questions = [...Object.keys(meta.files), ...Object.keys(meta.refused)].map(turnOf);
  questions.sort((a, b) => a.turn - b.turn);
  for (const { name, question } of questions) {
    const refused = meta.refused[name];
    tape.add(question, refused !== undefined ? { refused } : { bytes: readAnswer(directory, name, meta.files[name]) });
  }
  return new ReplayingMachine(tape, directory);
}

function turnOf(name: string): { name: string; question: string; turn: number } {
  const match = /^(.*)~([0-9]+)$/.exec(name);
  return match ? { name, question: match[1] ?? name, turn: Number(match[2]) - 1 } : { name, question: name, turn: 0 };
}

function readMeta(directory: string): Meta {
  const path = join(directory, 'meta.json');
  let text: string;
  try {
    text = readRegularFile(path, MOST_META_BYTES).toString('utf8');
  } catch (error) {
    throw missing(path, error);
  }
  let meta: unknown;
  try {
    meta = JSON.parse(text);
  } catch {
    throw foreign(path, 'is no JSON');
  }
  if (!isMeta(meta)) throw foreign(path, `is not of format ${FORMAT}`);
  if (meta.byteOrder !== 'LE') throw foreign(path, `has byte order ${meta.byteOrder}, and only LE can be read`);
  return meta;
}

/** The list of a million files. */
const MOST_META_BYTES = 2 ** 28;

function missing(path: string, error: unknown): UnclosedError {
  const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
  const remedy = isDenied(error)
    ? 'only its owner may read a recording: have it given to you with chown, or as an archive'
    : 'name the folder that unclosed record wrote; its meta.json is written last';
  return new UnclosedError('RECORDING_MISSING', `${path}: ${code}`, remedy);
}

/** No link, pipe or device: a recording may come from anybody, and reading those may never end. */
function readRegularFile(path: string, most: number): Buffer {
  const { size } = requireRegular(path);
  if (size > most) throw new Error(`has ${size} bytes, more than ${most}`);
  return readFileSync(path);
}

function requireRegular(path: string): Stats {
  const status = lstatSync(path);
  if (!status.isFile()) throw new Error('is no regular file');
  return status;
}

const foreign = (path: string, what: string): UnclosedError =>
  new UnclosedError('RECORDING_FOREIGN', `${path} ${what}`, 'read it with the version of unclosed that wrote it');

function isMeta(value: unknown): value is Meta {
  if (typeof value !== 'object' || value === null) return false;
  const { format, files, refused } = value as Partial<Meta>;
  const isRecord = (of: 'number' | 'string', record: unknown): boolean =>
    typeof record === 'object' && record !== null && Object.values(record).every((entry) => typeof entry === of);
  return format === FORMAT && isRecord('number', files) && isRecord('string', refused);
}

function readAnswer(directory: string, name: string, size: number | undefined): Uint8Array {
  const path = join(directory, name);
  // The list of files is part of the recording, and a recording may come from anybody.
  if (name.startsWith('/') || name.split('/').includes('..'))
    throw foreign(join(directory, 'meta.json'), `names ${name}`);
  try {
    const status = requireRegular(path);
    if (status.size === size && realpathSync(path).startsWith(`${realpathSync(directory)}/`)) return readFileSync(path);
    throw new Error(`has ${status.size} bytes of ${size}, or lies outside of the recording`);
  } catch (error) {
    throw truncated(path, (error as NodeJS.ErrnoException).code ?? (error as Error).message);
  }
}

const truncated = (path: string, what: string): UnclosedError =>
  new UnclosedError('RECORDING_TRUNCATED', `${path}: ${what}`, 'copy the recording again, whole');
