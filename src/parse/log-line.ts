import { cleanLine } from './captures/clean.ts';
import { parseLineTime } from './log-time.ts';
import { maskSecrets } from './mask.ts';

/** How lines are wrapped: not at all, in JSON by Docker or by journalctl, or behind a head as kubelet and podman write it. */
export type LineForm = 'plain' | 'docker' | 'journal' | 'cri';

export type LogLine = { text: string; time?: number };

/** Longer lines are cut before anything else is done with them. */
export const LONGEST_LINE = 4096;
const LONGEST_EXAMPLE = 300;

/** `near` is when the log was read; `zoneMs` is added to times without a zone, which are taken for UTC. */
export type Clock = { near: number; zoneMs: number };

export function readLine(line: string, form: LineForm, clock: Clock): LogLine {
  if (form === 'docker' || form === 'journal') {
    const unwrapped = form === 'docker' ? fromDocker(line, clock) : fromJournal(line);
    if (unwrapped) return unwrapped;
  }
  const time = timeIn(line, clock);
  const text = form === 'cri' ? line.replace(/^\S{20,40} std(?:out|err) [FP] /, '') : line;
  return { text, ...(time !== undefined && { time }) };
}

function timeIn(line: string, { near, zoneMs }: Clock): number | undefined {
  const time = parseLineTime(line, near);
  return time && (time.zoned ? time.ms : time.ms + zoneMs);
}

function objectIn(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // cut short, as the first line of a part of a file
  }
}

/** The json-file driver of Docker: `{"log":"text\n","stream":"stderr","time":"2026-01-02T03:04:05.123456789Z"}`. */
function fromDocker(line: string, clock: Clock): LogLine | undefined {
  const { log, time } = objectIn(line) ?? {};
  if (typeof log !== 'string') return undefined;
  const at = typeof time === 'string' ? timeIn(time, clock) : undefined;
  return { text: log, ...(at !== undefined && { time: at }) };
}

/** journalctl -o json: __REALTIME_TIMESTAMP is in microseconds (systemd.journal-fields(7)). */
function fromJournal(line: string): LogLine | undefined {
  const { MESSAGE: text, __REALTIME_TIMESTAMP: time } = objectIn(line) ?? {};
  if (typeof text !== 'string') return undefined;
  const micros = typeof time === 'string' && /^[0-9]{1,18}$/.test(time) ? Number(time) : undefined;
  return { text, ...(micros !== undefined && { time: Math.floor(micros / 1000) }) };
}

const decoder = new TextDecoder();

/** A line whose characters stand for bytes, as text. */
export const utf8 = (bytes: string): string =>
  decoder.decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0) & 0xff));

/** What of a line is shown to people. */
export function exampleOf(text: string): string {
  const clean = cleanLine(text.slice(0, LONGEST_LINE))
    .replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .trim();
  const masked = maskSecrets(clean);
  return masked.length <= LONGEST_EXAMPLE ? masked : `${masked.slice(0, LONGEST_EXAMPLE)}…`;
}
