import { ParseError } from '../../model/errors.ts';

// PerfDataPrologue and PerfDataEntry in src/hotspot/share/runtime/perfMemory.hpp, the same since JDK 5.
const MAGIC = 0xcafec0c0;
const MOST_ENTRIES = 10_000;

/** What a JVM tells of itself, by name: numbers and texts. */
export type PerfData = ReadonlyMap<string, bigint | string>;

export function parseHsperfdata(bytes: Uint8Array): PerfData {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fail = (what: string): never => {
    throw new ParseError('hsperfdata', what);
  };
  if (bytes.length < 32 || view.getUint32(0) !== MAGIC) fail('the magic number is not there');
  const little = bytes[4] === 1;
  let at = view.getInt32(24, little);
  const count = view.getInt32(28, little);
  if (count < 0 || count > MOST_ENTRIES) fail(`${count} entries`);
  const text = (from: number, to: number): string => {
    const raw = bytes.subarray(from, to);
    const end = raw.indexOf(0);
    return new TextDecoder().decode(end < 0 ? raw : raw.subarray(0, end));
  };
  const data = new Map<string, bigint | string>();
  for (let entry = 0; entry < count; entry++) {
    if (at < 32 || at + 20 > bytes.length) fail(`entry ${entry} at ${at} lies outside`);
    const length = view.getInt32(at, little);
    const [name, vector, value] = [4, 8, 16].map((field) => view.getInt32(at + field, little)) as [
      number,
      number,
      number,
    ];
    if (length < 20 || at + length > bytes.length || name < 20 || name > length || value < name || value > length)
      fail(`entry ${entry} at ${at} has no place for its name and value`);
    const key = text(at + name, at + value);
    const type = String.fromCharCode(bytes[at + 12] ?? 0);
    if (type === 'J' && vector === 0 && value + 8 <= length) data.set(key, view.getBigInt64(at + value, little));
    else if (type === 'B' && vector > 0 && value + vector <= length)
      data.set(key, text(at + value, at + value + vector));
    at += length;
  }
  return data;
}
