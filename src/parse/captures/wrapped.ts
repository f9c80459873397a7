import type { LineFormats } from './formats.ts';
import type { CaptureFormat, CaptureRow } from './row.ts';

type Read = (text: string) => ReturnType<LineFormats['read']>;
type Joined = { format: CaptureFormat; row: CaptureRow; text: string };

/** A terminal breaks long lines anywhere, a chat at spaces. */
const GLUE = ['', ' '];
/** Parts of one wrapped line, at most. */
const MOST_PARTS = 4;
/** No line of a table that is longer was wrapped by hand. */
const LONGEST = 4000;

/** Puts rows together again that were broken into several lines. */
export class WrappedLines {
  #last: Joined | undefined;
  #lost: string[] = [];

  /** The row above, with the text it was read from. */
  get last(): Joined | undefined {
    return this.#last;
  }

  get hasLost(): boolean {
    return this.#lost.length > 0;
  }

  remember(format: CaptureFormat, row: CaptureRow, text: string): void {
    this.#last = { format, row, text };
    this.#lost = [];
  }

  /** A line that was not understood may be the beginning of one that the next line completes. */
  lose(text: string): void {
    this.#lost = text.length > LONGEST ? [] : [...this.#lost.slice(-(MOST_PARTS - 2)), text];
  }

  forgetLost(): void {
    this.#lost = [];
  }

  forget(): void {
    this.#last = undefined;
    this.#lost = [];
  }

  /** The row above read again with this line behind it, when that tells more. */
  complete(text: string, read: Read): Joined | undefined {
    const last = this.#last;
    if (!last || last.text === '' || last.text.length + text.length > LONGEST || this.#lost.length > 0)
      return undefined;
    for (const glue of GLUE) {
      const whole = last.text + glue + text.trimStart();
      const joined = read(whole);
      if (joined === undefined || joined === 'noise' || joined.format !== last.format) continue;
      if (!tellsMore(joined.row, last.row)) continue;
      const row = { ...joined.row, line: last.row.line };
      this.#last = { format: last.format, row, text: whole };
      return this.#last;
    }
    return undefined;
  }

  /** The lines above that were not understood, together with this one. */
  join(text: string, read: Read): (Joined & { lines: number }) | undefined {
    if (text.length > LONGEST) return undefined;
    for (let lines = 1; lines <= this.#lost.length; lines++) {
      for (const glue of GLUE) {
        const whole = [...this.#lost.slice(-lines), text.trimStart()].join(glue);
        const joined = read(whole);
        if (joined !== undefined && joined !== 'noise') return { ...joined, text: whole, lines };
      }
    }
    return undefined;
  }
}

const tellsMore = (joined: CaptureRow, before: CaptureRow): boolean =>
  (before.incomplete === true && joined.incomplete === undefined) ||
  (before.holders === undefined && joined.holders !== undefined) ||
  (before.timer === undefined && joined.timer !== undefined) ||
  (before.inode === undefined && joined.inode !== undefined) ||
  before.state !== joined.state;
