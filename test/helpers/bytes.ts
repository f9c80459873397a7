import assert from 'node:assert/strict';
import { ParseError } from '../../src/model/errors.ts';

/** Bytes from hex digits, in as many lines as reads well; what follows `//` in a line is a comment. */
export const bytes = (annotated: string): Uint8Array =>
  Uint8Array.from(Buffer.from(annotated.replace(/\/\/.*$/gm, '').replace(/\s+/g, ''), 'hex'));

/** Every part of `whole` that is cut short must be a ParseError. */
export function everyTruncationFails(whole: Uint8Array, read: (part: Uint8Array) => unknown): void {
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => read(whole.slice(0, length)), ParseError, `the first ${length} of ${whole.length} bytes`);
  }
}

/** Runs `parse` and lets a ParseError pass: whatever else is thrown fails the test. */
export function onlyParseErrors(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
  }
}
