import { createReadStream, statSync } from 'node:fs';
import { UnclosedError } from '../../model/errors.ts';
import type { CaptureText } from '../../parse/captures/capture.ts';
import { LineSplitter } from '../../parse/captures/lines.ts';
import { CaptureReader, type ReaderOptions } from '../../parse/captures/reader.ts';

const MISSING: Record<string, string> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is no folder',
};

const missing = (path: string, code: string): UnclosedError =>
  new UnclosedError(
    'CAPTURE_MISSING',
    `${path}: ${MISSING[code] ?? code}`,
    'name a file with the output of lsof, ss, netstat or lsfd',
  );

/** The bytes of a file, or of standard input for `-`. */
function open(path: string, input: NodeJS.ReadStream): AsyncIterable<Uint8Array> {
  if (path !== '-') {
    // A folder opens, and refuses only to be read.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw missing(path, 'EISDIR');
    return createReadStream(path, { highWaterMark: 1 << 18 });
  }
  if (input.isTTY) {
    throw new UnclosedError(
      'CAPTURE_MISSING',
      'nothing to read: standard input is this terminal',
      'unclosed read FILE, or pipe it in: ssh HOST ss -tanpi | unclosed read',
    );
  }
  return input;
}

/** Reads a capture piece by piece: of its text no more is kept than a line. */
export async function readSource(path: string, input: NodeJS.ReadStream, options: ReaderOptions): Promise<CaptureText> {
  const name = path === '-' ? 'standard input' : path;
  const reader = new CaptureReader({ ...options, path: name });
  const lines = new LineSplitter(name, (text, line, part) => reader.push(text, line, part));
  try {
    for await (const bytes of open(path, input)) lines.push(bytes);
  } catch (error) {
    if (error instanceof UnclosedError || !(error instanceof Error) || !('code' in error)) throw error;
    throw missing(name, String(error.code));
  }
  lines.end();
  return reader.end();
}
