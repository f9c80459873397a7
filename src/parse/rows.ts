import { ParseError } from '../model/errors.ts';

/** The rows of a text that could be read, and for each of the others what was wrong with it. */
export type Rows<T> = { rows: T[]; errors: ParseError[] };

/** Parses line by line after `header` lines. A bad line becomes an error and costs no other line. */
export function parseRows<T>(
  text: string,
  path: string,
  header: number,
  parse: (line: string, where: string) => T,
): Rows<T> {
  const rows: T[] = [];
  const errors: ParseError[] = [];
  text.split('\n').forEach((line, index) => {
    if (index < header || line.trim() === '') return;
    try {
      rows.push(parse(line, `${path}:${index + 1}`));
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      errors.push(error);
    }
  });
  return { rows, errors };
}

/** A whole number without sign in the given base, or a ParseError with the raw text. */
export function integer(text: string, base: 10 | 16, where: string): number {
  const valid = base === 10 ? /^[0-9]+$/ : /^[0-9a-fA-F]+$/;
  const value = Number.parseInt(text, base);
  if (!valid.test(text) || !Number.isSafeInteger(value)) throw new ParseError(where, `"${text}" is no number`);
  return value;
}
