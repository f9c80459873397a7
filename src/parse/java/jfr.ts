import { ParseError } from '../../model/errors.ts';
import { JfrBytes } from './jfr-bytes.ts';
import { readTypes } from './jfr-types.ts';
import type { JfrObject } from './jfr-values.ts';
import { JfrValues } from './jfr-values.ts';

// A JFR file is one chunk behind the other, each with its own classes and pools of values. The header of a chunk is
// JfrChunkHeadWriter in src/hotspot/share/jfr/recorder/repository, big-endian.
const MAGIC = 0x464c5200; // FLR\0
const HEADER = 68;
const BEGAN_AT = 32;
const COMPRESSED_INTEGERS = 1;

/** An event with the chunk's values, in which its fields are looked up. Nanoseconds since 1970. */
export type JfrEvent = { event: JfrObject; values: JfrValues; startedAt: number; endedAt: number };

/**
 * Gives every event of a class, in the order of the file. Returns when its first chunk began: a recorder that is to keep only so
 * much drops the oldest chunks.
 */
export function readJfr(bytes: Uint8Array, name: string, take: (event: JfrEvent) => void): number | undefined {
  let began: number | undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let start = 0; start < bytes.length; ) {
    if (bytes.length - start < HEADER || view.getUint32(start) !== MAGIC)
      throw new ParseError(`jfr+${start}`, 'no chunk begins here');
    const major = view.getUint16(start + 4);
    if (major < 1 || major > 2) throw new ParseError(`jfr+${start}`, `version ${major} is not known`);
    if ((view.getUint32(start + 64) & COMPRESSED_INTEGERS) === 0)
      throw new ParseError(`jfr+${start}`, 'its numbers are not compressed');
    const size = safe(view, start + 8);
    if (size < HEADER || size > bytes.length - start)
      throw new ParseError(`jfr+${start}`, `the chunk has ${size} bytes, the file ${bytes.length - start} more`);
    readChunk(bytes.subarray(start, start + size), view, start, name, take);
    began ??= safe(view, start + BEGAN_AT);
    start += size;
  }
  return began;
}

const safe = (view: DataView, at: number): number => Number(view.getBigInt64(at));

function readChunk(
  chunk: Uint8Array,
  view: DataView,
  start: number,
  name: string,
  take: (event: JfrEvent) => void,
): void {
  const field = (at: number): number => safe(view, start + at);
  const [pools, metadata, beganAt, beganTicks, frequency] = [16, 24, BEGAN_AT, 48, 56].map(field) as [
    number,
    number,
    number,
    number,
    number,
  ];
  if (frequency <= 0) throw new ParseError(`jfr+${start}`, `${frequency} ticks a second`);
  const types = readTypes(new JfrBytes(chunk, metadata, chunk.length));
  const wanted = [...types].find(([, type]) => type.name === name)?.[0];
  if (wanted === undefined) return;
  const values = new JfrValues(types, chunk, chunk.length);
  values.readPools(pools);
  const nanoseconds = (ticks: number): number => (ticks / frequency) * 1e9;
  const all = new JfrBytes(chunk, HEADER, chunk.length);
  while (all.left > 0) {
    const from = all.at;
    const size = all.int();
    if (size <= all.at - from) throw new ParseError(`jfr+${start + from}`, `an event of ${size} bytes`);
    if (String(all.long()) === wanted) {
      const event = values.read(wanted, all);
      if (typeof event !== 'object' || Array.isArray(event)) throw new ParseError(`jfr+${start + from}`, 'no event');
      const startedAt = beganAt + nanoseconds((values.number(event, 'startTime') ?? beganTicks) - beganTicks);
      take({ event, values, startedAt, endedAt: startedAt + nanoseconds(values.number(event, 'duration') ?? 0) });
    }
    all.at = from;
    all.skip(size);
  }
}
