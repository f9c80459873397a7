import { ParseError } from '../../model/errors.ts';
import type { CaptureText } from './capture.ts';

/** More lines than this that were not understood are counted only. */
const MOST_KEPT = 1000;
const LONGEST_QUOTE = 160;
const CLOSE_WAIT = /close.?wait/i;

/** The lines that were not understood. */
export class LostLines {
  readonly #kept: { line: number; text: string }[] = [];
  #count = 0;
  #closeWait = 0;

  get last(): { line: number; text: string } | undefined {
    return this.#kept.at(-1);
  }

  add(text: string, line: number): void {
    this.#count++;
    if (CLOSE_WAIT.test(text)) this.#closeWait++;
    if (this.#kept.length < MOST_KEPT) this.#kept.push({ line, text: text.slice(0, LONGEST_QUOTE) });
  }

  /** The last lines, which were understood after all. */
  takeBack(lines: number): void {
    // Those that were only counted come after those that were kept.
    const kept = Math.max(0, lines - (this.#count - this.#kept.length));
    this.#count -= lines;
    for (const { text } of this.#kept.splice(this.#kept.length - kept, kept))
      if (CLOSE_WAIT.test(text)) this.#closeWait--;
  }

  told(path: string): Pick<CaptureText, 'errors' | 'errorCount' | 'lostCloseWait'> {
    const inOrder = this.#kept.toSorted((a, b) => a.line - b.line);
    return {
      errors: inOrder.map(({ line, text }) => new ParseError(`${path}:${line}`, `not understood: "${text}"`)),
      errorCount: this.#count,
      lostCloseWait: this.#closeWait,
    };
  }
}
