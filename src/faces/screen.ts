import { writeSync } from 'node:fs';
import { emitKeypressEvents } from 'node:readline';
import type { ReadStream, WriteStream } from 'node:tty';
import type { Key } from './page-keys.ts';

// Control sequences of xterm, which every terminal of today and tmux and screen know (invisible-island.net/xterm/ctlseqs).
const ESCAPE = '\u001b';
/** The alternate screen, without cursor and without wrapping at the right edge. */
const ENTER = `${ESCAPE}[?1049h${ESCAPE}[?25l${ESCAPE}[?7l${ESCAPE}[2J`;
const LEAVE = `${ESCAPE}[?7h${ESCAPE}[?25h${ESCAPE}[?1049l`;
/** What comes between these is shown at once, where the terminal knows that. */
const BEGIN_UPDATE = `${ESCAPE}[?2026h`;
const END_UPDATE = `${ESCAPE}[?2026l`;

const STDOUT = 1;

export type Size = { width: number; height: number };

/** What must be sent so that a screen with the old lines shows the new ones: only what has changed. Pure. */
export function difference(before: readonly string[], now: readonly string[]): string {
  const changed = now.flatMap((line, index) =>
    line === before[index] ? [] : `${ESCAPE}[${index + 1};1H${ESCAPE}[2K${line}`,
  );
  return changed.length === 0 ? '' : BEGIN_UPDATE + changed.join('') + END_UPDATE;
}

/** A terminal that we draw on. It is given back as it was however this process ends, other than by SIGKILL. */
export class Screen {
  readonly #input: ReadStream;
  readonly #output: WriteStream;
  #lines: readonly string[] = [];
  #entered = false;

  constructor(input: ReadStream, output: WriteStream) {
    this.#input = input;
    this.#output = output;
  }

  get size(): Size {
    return { width: Math.max(1, this.#output.columns || 80), height: Math.max(1, this.#output.rows || 24) };
  }

  get isEntered(): boolean {
    return this.#entered;
  }

  enter(onKey: (key: Key) => void, onResize: () => void): void {
    emitKeypressEvents(this.#input);
    this.#input.on('keypress', (_text: string | undefined, key: Key) => onKey(key));
    this.#output.on('resize', onResize);
    process.on('exit', this.#leave).on('uncaughtExceptionMonitor', this.#leave);
    this.resume();
  }

  resume(): void {
    this.#entered = true;
    this.#input.setRawMode(true);
    this.#input.resume();
    this.#output.write(ENTER);
    this.#lines = [];
  }

  draw(lines: readonly string[]): void {
    if (!this.#entered) return;
    const text = difference(this.#lines, lines);
    this.#lines = lines;
    if (text !== '') this.#output.write(text);
  }

  /** The terminal may have lost or moved what it showed. */
  forget(): void {
    if (this.#entered) this.#output.write(`${ESCAPE}[2J`);
    this.#lines = [];
  }

  /** Gives the terminal back until `resume`. */
  suspend(): void {
    this.#leave();
  }

  leave(): void {
    process.off('exit', this.#leave).off('uncaughtExceptionMonitor', this.#leave);
    this.#leave();
    this.#input.removeAllListeners('keypress');
    this.#output.removeAllListeners('resize');
    this.#input.pause();
  }

  // Synchronous, for there may be no later.
  readonly #leave = (): void => {
    if (!this.#entered) return;
    this.#entered = false;
    try {
      this.#input.setRawMode(false);
      writeSync(STDOUT, LEAVE);
    } catch {
      // the terminal is gone, and so is what there was to restore
    }
  };
}
