import type { EndRead, Frame } from '../../model/inside.ts';
import { parseAddressText } from './address-text.ts';
import { type JfrEvent, readJfr } from './jfr.ts';
import type { JfrValue, JfrValues } from './jfr-values.ts';
import { originOf } from './origin.ts';

/**
 * Reads that returned the end of a stream, the newest first, and how many reads there were in all. `since` is from when on they are
 * all there, in milliseconds since 1970.
 */
export type SocketReads = { ends: EndRead[]; reads: number; leftOut: number; since?: number };

/** A server of a thousand short connections a second has so many in some seconds; the newest tell as much as all. */
const MOST_ENDS = 5000;

/** `now` is in milliseconds since 1970. */
export function parseSocketReads(bytes: Uint8Array, now: number): SocketReads {
  const ended: JfrEvent[] = [];
  let reads = 0;
  const since = readJfr(bytes, 'jdk.SocketRead', (read) => {
    reads++;
    if (read.values.get(read.event, 'endOfStream') === true) ended.push(read);
  });
  ended.sort((one, other) => other.endedAt - one.endedAt);
  const frames = new Map<JfrValue, Frame[]>();
  const ends = ended.slice(0, MOST_ENDS).flatMap((read) => endRead(read, now, frames) ?? []);
  return {
    ends,
    reads,
    leftOut: Math.max(0, ended.length - MOST_ENDS),
    ...(since !== undefined && { since: since / 1e6 }),
  };
}

/** Stacks are pooled: many reads share one. */
function endRead(
  { event, values, endedAt }: JfrEvent,
  now: number,
  known: Map<JfrValue, Frame[]>,
): EndRead | undefined {
  const address = values.text(event, 'address');
  const port = values.number(event, 'port');
  if (address === undefined || port === undefined) return undefined;
  const thread = values.get(event, 'eventThread');
  const strand = values.text(thread, 'javaName') || values.text(thread, 'osName');
  const stack = values.get(event, 'stackTrace');
  const frames = known.get(stack) ?? framesOf(stack, values);
  known.set(stack, frames);
  return {
    peer: { address: parseAddressText(address), port },
    ...(strand !== undefined && strand !== '' && { strand }),
    frames,
    agoMs: Math.max(0, Math.round(now - endedAt / 1e6)),
  };
}

function framesOf(stack: JfrValue, values: JfrValues): Frame[] {
  const frames = values.get(stack, 'frames');
  return Array.isArray(frames) ? frames.flatMap((frame) => frameOf(frame, values) ?? []) : [];
}

/** A method without lines has -1, which is written as an unsigned number of 32 bits. */
const MOST_LINES = 0x7fff_ffff;

function frameOf(frame: JfrValue, values: JfrValues): Frame | undefined {
  const method = values.get(frame, 'method');
  const type = values.text(values.get(values.get(method, 'type'), 'name'), 'string')?.replaceAll('/', '.');
  const name = values.text(values.get(method, 'name'), 'string');
  if (type === undefined || name === undefined) return undefined;
  const line = values.number(frame, 'lineNumber') ?? 0;
  const known = line > 0 && line <= MOST_LINES;
  return { function: `${type}.${name}`, ...(known && { line }), origin: originOf(type) };
}
