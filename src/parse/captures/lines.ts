import { UnclosedError } from '../../model/errors.ts';

/** A line that is longer is no line of a table. JSON comes in one line of any length and is given in parts. */
const LONGEST_LINE = 1 << 20;
/** Share of characters that no text has, above which a piece is binary. */
const BINARY_SHARE = 0.2;
const ENOUGH = 64;

type OnLine = (text: string, line: number, part: boolean) => void;

/** Cuts bytes into lines: UTF-8, or UTF-16 as Windows writes it; ends of lines of every system. */
export class LineSplitter {
  readonly #onLine: OnLine;
  readonly #name: string;
  #decoder: InstanceType<typeof TextDecoder> | undefined;
  #rest = '';
  #line = 1;
  #isJson = false;

  constructor(name: string, onLine: OnLine) {
    this.#name = name;
    this.#onLine = onLine;
  }

  push(bytes: Uint8Array): void {
    if (!this.#decoder) {
      refuseForeign(bytes, this.#name);
      this.#decoder = new TextDecoder(encodingOf(bytes));
    }
    this.#text(this.#decoder.decode(bytes, { stream: true }));
  }

  end(): void {
    this.#text(this.#decoder?.decode() ?? '');
    if (this.#rest !== '') this.#give(this.#rest, false);
    this.#rest = '';
  }

  #text(text: string): void {
    this.#refuseBinary(text);
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      this.#give(line, false);
      this.#line++;
      this.#isJson = false;
    }
    if (this.#rest.length <= LONGEST_LINE) return;
    if (!this.#isJson && !/^\s*[[{]/.test(this.#rest)) {
      throw this.#foreign(`line ${this.#line} is longer than 1 MiB`);
    }
    this.#isJson = true;
    this.#give(this.#rest, true);
    this.#rest = '';
  }

  #give(text: string, part: boolean): void {
    if (!text.includes('\r')) this.#onLine(text, this.#line, part);
    else for (const piece of text.replace(/\r+$/, '').split('\r')) this.#onLine(piece, this.#line, part);
  }

  #refuseBinary(text: string): void {
    let strange = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === 0xfffd || (code < 0x20 && !isTextControl(code))) strange++;
    }
    if (text.length >= ENOUGH && strange > BINARY_SHARE * text.length) throw this.#foreign('it is binary data');
  }

  #foreign(what: string): UnclosedError {
    return foreign(this.#name, what, 'give the output of lsof, ss, netstat or lsfd as text');
  }
}

/** Tab, line feed, carriage return, escape, bell, backspace; and 0, which ends a field of `lsof -F0`. */
const isTextControl = (code: number): boolean => code === 0 || (code >= 7 && code <= 13) || code === 0x1b;

const foreign = (name: string, what: string, remedy: string): UnclosedError =>
  new UnclosedError('CAPTURE_FOREIGN', `${name}: ${what}`, remedy);

function encodingOf(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  // Without a byte order mark: every other byte of ASCII in UTF-16 is 0.
  const zeros = [0, 0];
  const size = Math.min(bytes.length, 64) & ~1;
  for (let at = 0; at < size; at++) if (bytes[at] === 0) zeros[at & 1] = (zeros[at & 1] ?? 0) + 1;
  const [even = 0, odd = 0] = zeros;
  if (size >= 8 && odd > size * 0.4 && even === 0) return 'utf-16le';
  return size >= 8 && even > size * 0.4 && odd === 0 ? 'utf-16be' : 'utf-8';
}

/** First bytes of files that people take for a capture, and how to get one out of them. */
const FOREIGN: [number[], string, string][] = [
  [[0x1f, 0x8b], 'it is compressed (gzip)', 'zcat FILE | unclosed read'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'it is compressed (zstd)', 'zstdcat FILE | unclosed read'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'it is compressed (xz)', 'xzcat FILE | unclosed read'],
  [[0x42, 0x5a, 0x68], 'it is compressed (bzip2)', 'bzcat FILE | unclosed read'],
  [[0x50, 0x4b, 0x03, 0x04], 'it is an archive (zip)', 'unzip -p FILE | unclosed read'],
  [[0x89, 0x50, 0x4e, 0x47], 'it is a picture (PNG)', 'copy the text instead of the screen'],
  [[0xff, 0xd8, 0xff], 'it is a picture (JPEG)', 'copy the text instead of the screen'],
  [[0x25, 0x50, 0x44, 0x46], 'it is a PDF', 'copy its text into a file'],
  [[0x7f, 0x45, 0x4c, 0x46], 'it is a program (ELF)', 'give the output of lsof, ss, netstat or lsfd'],
  [[0xd4, 0xc3, 0xb2, 0xa1], 'it holds packets (pcap)', 'packets do not tell states: give the output of ss -tanpi'],
  [[0x0a, 0x0d, 0x0d, 0x0a], 'it holds packets (pcapng)', 'packets do not tell states: give the output of ss -tanpi'],
];

function refuseForeign(bytes: Uint8Array, name: string): void {
  for (const [magic, what, remedy] of FOREIGN) {
    if (magic.every((byte, at) => bytes[at] === byte)) throw foreign(name, what, remedy);
  }
}
