import type { CaptureText } from './capture.ts';
import { CaptureReader, type ReaderOptions } from './reader.ts';

/** Reads the text of a paste as a whole; for more than some megabytes use CaptureReader, which takes line by line. */
export function parseCapture(text: string, options: ReaderOptions = {}): CaptureText {
  const reader = new CaptureReader(options);
  for (const [index, line] of text.split(/\r*\n/).entries()) reader.push(line, index + 1);
  return reader.end();
}
