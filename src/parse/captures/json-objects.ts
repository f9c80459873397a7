import { UnclosedError } from '../../model/errors.ts';

type Json = Record<string, unknown>;

/** Text of one object, and of the objects around it as far as they were read; more is no record of a socket. */
const LONGEST_OBJECT = 1 << 20;
const DEEPEST = 32;

/**
 * Takes JSON in pieces and gives every innermost object but those that are the value of a key, which stay part of
 * theirs, with the object that encloses it. So a list of 200,000 files needs no more room than one of them.
 */
export class JsonObjects {
  readonly #onObject: (object: Json, around: Json | undefined) => void;
  readonly #onError: (text: string) => void;
  readonly #open: string[] = [];
  #inString = false;
  #escaped = false;

  constructor(onObject: (object: Json, around: Json | undefined) => void, onError: (text: string) => void) {
    this.#onObject = onObject;
    this.#onError = onError;
  }

  get depth(): number {
    return this.#open.length;
  }

  /** What follows the end of the outermost object is given back. */
  push(text: string): string {
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const character = text.charCodeAt(at);
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (character === BACKSLASH) this.#escaped = true;
        else if (character === QUOTE) this.#inString = false;
      } else if (character === QUOTE) {
        this.#inString = true;
      } else if (character === OPEN) {
        this.#append(text.slice(from, at));
        this.#open.push('');
        if (this.#open.length > DEEPEST) throw tooLarge('nests too deep');
        from = at;
      } else if (character === CLOSE && this.#open.length > 0) {
        this.#append(text.slice(from, at + 1));
        from = at + 1;
        this.#close();
        if (this.#open.length === 0) return text.slice(from).replace(/^[\s,\]]+/, '');
      }
    }
    this.#append(text.slice(from));
    return '';
  }

  #append(text: string): void {
    const last = this.#open.length - 1;
    const before = this.#open[last];
    if (before === undefined) return;
    // Commas between objects that were given already say nothing.
    const joined = before + (lastMark(before) === '[' ? text.replace(/^[\s,]+/, '') : text);
    if (joined.length > LONGEST_OBJECT) throw tooLarge('has an object of more than 1 MiB');
    this.#open[last] = joined;
  }

  #close(): void {
    const text = this.#open.pop() ?? '';
    const last = this.#open.length - 1;
    const around = this.#open[last];
    if (around !== undefined && lastMark(around) === ':') {
      this.#append(text);
      return;
    }
    const object = parseObject(text);
    if (!object) this.#onError(text);
    else this.#onObject(object, around === undefined ? undefined : parseOpen(around));
  }
}

/** The last character that is no space. A pattern would look through the whole text for it. */
function lastMark(text: string): string | undefined {
  let at = text.length - 1;
  while (at >= 0 && text.charCodeAt(at) <= 0x20) at--;
  return text[at];
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

const tooLarge = (what: string): UnclosedError =>
  new UnclosedError('CAPTURE_FOREIGN', `the JSON ${what}`, 'give the output of lsof -J, lsof -j or lsfd -J as it is');

function parseObject(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

/** What lsof says of a process before its files. */
const LONGEST_PROCESS = 1 << 16;

let lastOpen: { text: string; object: Json | undefined } = { text: '', object: undefined };

/** An object of which the beginning was read, up to the list that is open: `{"pid":9,"files":[`. */
function parseOpen(text: string): Json | undefined {
  if (text.length > LONGEST_PROCESS) return undefined;
  if (lastOpen.text !== text) lastOpen = { text, object: parseObject(`${text.trimEnd()}]}`) };
  return lastOpen.object;
}
