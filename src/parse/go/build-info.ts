import { ParseError } from '../../model/errors.ts';
import { StructReader } from '../bytes.ts';

/** What Go's linker wrote into a program: its version, the module of the program, and the modules that it uses. */
export type GoBuild = { version: string; module?: string; dependencies: string[] };

// Section .go.buildinfo: debug/buildinfo/buildinfo.go of Go. Magic, size of a pointer, flags.
const MAGIC = '\xff Go buildinf:';
const FLAG_STRINGS_INLINE = 2; // since Go 1.18
const FLAG_BIG_ENDIAN = 1;
const HEADER_SIZE = 32;
/** Around the list of modules the linker puts 16 bytes on each side. */
const SENTINEL = 16;
const MOST_TEXT = 1 << 20;

/** Before Go 1.18 the header has addresses of two Go strings; `at` gives what the file has for an address. */
export type Memory = (address: bigint, length: number) => Uint8Array | undefined;

export function parseBuildInfo(bytes: Uint8Array, at: Memory): GoBuild {
  const magic = String.fromCharCode(...bytes.subarray(0, MAGIC.length));
  if (magic !== MAGIC) throw new ParseError('.go.buildinfo', 'no magic number');
  const flags = bytes[15] ?? 0;
  if (flags & FLAG_STRINGS_INLINE) {
    const version = inlineString(bytes, HEADER_SIZE);
    return build(version.bytes, inlineString(bytes, version.next).bytes);
  }
  if (bytes[14] !== 8 || flags & FLAG_BIG_ENDIAN) throw new ParseError('.go.buildinfo', 'no 64-bit little-endian file');
  const r = new StructReader('.go.buildinfo', bytes);
  r.skip(16);
  return build(goString(at, r.u64()), goString(at, r.u64()));
}

/** A length as a varint (LEB128), then so many bytes. */
function inlineString(bytes: Uint8Array, from: number): { bytes: Uint8Array; next: number } {
  let length = 0;
  let at = from;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    if (byte === undefined || shift > 28) throw new ParseError('.go.buildinfo', 'a length is cut short');
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (length > MOST_TEXT || at + length > bytes.byteLength)
    throw new ParseError('.go.buildinfo', 'a text is cut short');
  return { bytes: bytes.subarray(at, at + length), next: at + length };
}

/** The header of a Go string is its address and its length. */
function goString(at: Memory, address: bigint): Uint8Array {
  const header = at(address, 16);
  if (!header) throw new ParseError('.go.buildinfo', 'a string lies outside of the file');
  const r = new StructReader('string header', header);
  const [data, length] = [r.u64(), Number(r.u64())];
  if (length > MOST_TEXT) throw new ParseError('.go.buildinfo', 'a text is too long');
  return at(data, length) ?? new Uint8Array();
}

const decoder = new TextDecoder();

// Lines of the module list: `mod<tab>path<tab>version`, `dep<tab>path<tab>version<tab>sum`, and `=>` for replacements.
function build(versionBytes: Uint8Array, moduleBytes: Uint8Array): GoBuild {
  const version = decoder.decode(versionBytes).trim();
  if (!/^(?:go|devel)/.test(version)) throw new ParseError('.go.buildinfo', 'no version of Go');
  const listed = decoder.decode(moduleBytes.subarray(SENTINEL, Math.max(SENTINEL, moduleBytes.byteLength - SENTINEL)));
  const lines = listed.split('\n').map((line) => line.split('\t'));
  const module = lines.find(([key]) => key === 'mod')?.[1];
  const dependencies = lines.flatMap(([key, path]) => (key === 'dep' && path !== undefined ? [path] : []));
  return { version, ...(module !== undefined && { module }), dependencies };
}
