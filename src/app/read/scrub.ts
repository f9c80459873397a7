import { isIP } from 'node:net';
import type { CaptureText } from '../../parse/captures/capture.ts';
import type { LineKind } from '../../parse/captures/reader.ts';
import { readSource } from './source.ts';

/**
 * The capture as text that can be shared: addresses, host and user names are replaced, the same ones by the same
 * stand-ins. Only rows and headers of tables are kept: what stands around them may tell anything. Loopback, wildcards,
 * ports, and names of programs stay.
 */
export async function scrubCapture(path: string, input: NodeJS.ReadStream, format?: string): Promise<string> {
  const lines: string[] = [];
  const onLine = (text: string, kind: LineKind, instead = 0): void => {
    lines.length = Math.max(0, lines.length - instead);
    // One for each line, also of those left out, so that a later line can stand instead of them.
    lines.push(kind === 'row' || kind === 'header' ? text : '');
  };
  const text = await readSource(path, input, { onLine, ...(format !== undefined && { format }) });
  const scrubber = new Scrubber(text);
  return lines.flatMap((line) => (line === '' ? [] : `${scrubber.line(line)}\n`)).join('');
}

const V4 = /(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9])/g;
const V6 = /(?<![0-9a-zA-Z:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![0-9a-fA-F:])/g;

class Scrubber {
  readonly #standIns = new Map<string, string>();
  readonly #names = new Map<string, string>();
  readonly #cut = new Map<string, string>();
  #v4 = 0;
  #v6 = 0;

  constructor({ captures }: CaptureText) {
    for (const { local, peer, holders = [], user } of captures.flatMap(({ rows }) => rows)) {
      for (const end of [local, peer]) {
        if (!end || isIP(end.address) !== 0) continue;
        if (end.address.includes(':')) this.#cut.set(end.address, `2001:db8:c:${this.#cut.size + 1}`);
        else this.#name(end.address, 'host');
      }
      for (const name of [user, ...holders.map((holder) => holder.user)])
        if (name !== undefined) this.#name(name, 'user');
    }
  }

  #name(name: string, kind: 'host' | 'user'): void {
    if (KEPT.has(name) || this.#names.has(name)) return;
    this.#names.set(name, `${kind}${this.#names.size + 1}`);
  }

  line(text: string): string {
    let clean = text.replace(/cgroup:\S+/g, 'cgroup:/');
    // An address that netstat cut to its column.
    for (const [cut, standIn] of this.#cut) clean = clean.replaceAll(cut, standIn);
    return (
      this.#replaceNames(clean)
        .replace(HEX, (_, hex, port) => `${this.#hexAddress(hex)}:${port}`)
        // Marked, so that address and port are not taken for one longer address below.
        .replace(V6_AND_PORT, (all, address, port) =>
          isIP(address) === 6 ? `${this.#address(address, 6).replaceAll(':', DONE)}${DONE}${port}` : all,
        )
        .replace(V4, (address) => this.#address(address, 4))
        .replace(V6, (address) => (isIP(address) === 6 ? this.#address(address, 6) : address))
        .replaceAll(DONE, ':')
    );
  }

  /** Whole words only: the user `ss` is no part of `ssh`. */
  #replaceNames(text: string): string {
    if (this.#names.size === 0) return text;
    return text.replace(
      /[a-zA-Z0-9_][\w.@-]*/g,
      (word) => this.#names.get(word) ?? this.#names.get(word.slice(1)) ?? word,
    );
  }

  /** In /proc/net/tcp addresses are words in host order: the bytes of each are reversed. */
  #hexAddress(hex: string): string {
    if (hex.length === 8 || hex.startsWith(MAPPED)) {
      const [a = '', b = '', c = '', d = ''] = hex.slice(-8).match(/../g) ?? [];
      const address = [d, c, b, a].map((byte) => Number.parseInt(byte, 16)).join('.');
      const bytes = this.#address(address, 4).split('.').reverse();
      return (
        hex.slice(0, -8) +
        bytes
          .map((byte) => Number(byte).toString(16).padStart(2, '0'))
          .join('')
          .toUpperCase()
      );
    }
    if (/^0{24}0[01]000000$/.test(hex)) return hex;
    const known = this.#standIns.get(hex) ?? `B80D0120${'0'.repeat(16)}${reversedHex(++this.#v6)}`;
    this.#standIns.set(hex, known);
    return known;
  }

  #address(address: string, family: 4 | 6): string {
    if (isKept(address)) return address;
    const known = this.#standIns.get(address.toLowerCase());
    if (known !== undefined) return known;
    // 198.18.0.0/15 and 2001:db8::/32 are for tests and documentation (RFC 2544, RFC 3849).
    const made = family === 4 ? testAddress(++this.#v4) : `2001:db8::${(++this.#v6).toString(16)}`;
    this.#standIns.set(address.toLowerCase(), made);
    return made;
  }
}

const DONE = '\u0001';
const HEX = /\b([0-9A-F]{32}|[0-9A-F]{8}):([0-9A-F]{4})\b(?= )/g;
const MAPPED = '0000000000000000FFFF0000';
/** netstat writes no brackets. */
const V6_AND_PORT = /(?<=^|\s)([0-9a-fA-F:.]+):([\w*-]+)(?=\s|$)/g;

const reversedHex = (n: number): string =>
  (n.toString(16).padStart(8, '0').match(/../g) ?? []).reverse().join('').toUpperCase();

const KEPT: ReadonlySet<string> = new Set(['localhost', 'root', '*']);

const isKept = (address: string): boolean =>
  /^(?:127\.|0\.0\.0\.0$|::1?$|::ffff:0*$)/.test(address) || /^255\./.test(address);

const testAddress = (n: number): string => `198.${18 + ((n >> 16) & 1)}.${(n >> 8) & 255}.${n & 255}`;
