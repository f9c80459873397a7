import { LOG_KINDS, type LogMessage } from '../model/logs.ts';
import { type Clock, exampleOf, type LineForm, LONGEST_LINE, readLine, utf8 } from './log-line.ts';
import { findTexts, type MessageRow, messageOf } from './log-messages.ts';

/** A part of a log, from the beginning of a line to the end of one. Its characters stand for bytes. */
export type Piece = { text: string; source: string; form: LineForm; clock: Clock };

/** What was seen of a part: how many lines, and the times of the first and the last one that have a time. */
export type Seen = { lines: number; from?: number; to?: number };

/** A line with a time, and those without one below it. */
type LogRecord = { start: number; end: number; time: number | undefined };

type Found = {
  row: MessageRow;
  count: number;
  first?: number;
  last?: number;
  minutes: Map<number, number>;
  line: string;
  source: string;
};

/** Messages that were found so far, by their id. */
export type Tally = Map<string, Found>;

const MINUTE_MS = 60_000;
const MOST_MINUTES = 120;
/** Lines at the beginning and the end of a part in which a time is looked for. */
const LINES_FOR_A_TIME = 40;
/** What of a huge line is kept before the text that was found in it. */
const BEFORE = 200;
/** JSON that is cut is none: a whole line of it is read, as far as it is no monster. */
const LONGEST_JSON = 65_536;

const lineAt = ({ text, form }: Pick<Piece, 'text' | 'form'>, start: number, end: number): string =>
  text.slice(start, Math.min(end, start + (form === 'docker' || form === 'journal' ? LONGEST_JSON : LONGEST_LINE)));

/** Adds what is in a part of a log. Parts may come in any order. */
export function tallyPiece(tally: Tally, piece: Piece): Seen {
  const { text } = piece;
  let record: LogRecord | undefined;
  const counted = new Map<string, number>();
  findTexts(text, 0, (at) => {
    const start = text.lastIndexOf('\n', at) + 1;
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    const found = readLine(lineAt(piece, start, end), piece.form, piece.clock);
    // Of a huge line, what is around the text.
    if (at - start > LONGEST_LINE) found.text = text.slice(at - BEFORE, Math.min(end, at + LONGEST_LINE - BEFORE));
    const row = messageOf(found.text);
    if (!row) return end;
    record = found.time === undefined ? recordBefore(piece, start, record) : { start, end, time: found.time };
    // A stack trace can name the same error again and again: it is one.
    const again = record.time !== undefined && counted.get(row.id) === record.start;
    counted.set(row.id, record.start);
    record.end = end;
    if (!again) add(tally, row, piece, found.text, record.time);
    return end;
  });
  return seen(piece);
}

/** The line above that begins what this one belongs to: the last with a time, as a stack trace stands below its message. */
function recordBefore({ text, form, clock }: Piece, start: number, last: LogRecord | undefined): LogRecord {
  let at = start;
  for (let lines = 0; lines < LINES_FOR_A_TIME && at > 0; lines++) {
    if (last && at <= last.end + 1) return last;
    const from = text.lastIndexOf('\n', at - 2) + 1;
    const { time } = readLine(lineAt({ text, form }, from, at - 1), form, clock);
    if (time !== undefined) return { start: from, end: start, time };
    at = from;
  }
  return { start, end: start, time: undefined };
}

function add(tally: Tally, row: MessageRow, { source }: Piece, line: string, time: number | undefined): void {
  const found: Found = tally.get(row.id) ?? { row, count: 0, minutes: new Map(), line, source };
  tally.set(row.id, found);
  found.count++;
  if (time === undefined) return;
  if (found.last === undefined || time >= found.last) Object.assign(found, { last: time, line, source });
  found.first = Math.min(found.first ?? time, time);
  const minute = Math.floor(time / MINUTE_MS) * MINUTE_MS;
  found.minutes.set(minute, (found.minutes.get(minute) ?? 0) + 1);
}

function seen({ text, form, clock }: Piece): Seen {
  let lines = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
  if (text.length > 0 && !text.endsWith('\n')) lines++;
  const [from, to] = [timeFrom(text, 1, form, clock), timeFrom(text, -1, form, clock)];
  return { lines, ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
}

/** The first time from the beginning, or from the end, in the first lines there. */
function timeFrom(text: string, direction: 1 | -1, form: LineForm, clock: Clock): number | undefined {
  let at = direction === 1 ? 0 : text.endsWith('\n') ? text.length - 1 : text.length;
  for (let lines = 0; lines < LINES_FOR_A_TIME && at >= 0 && at <= text.length; lines++) {
    const newline = direction === 1 ? text.indexOf('\n', at) : text.lastIndexOf('\n', at - 1);
    const [start, end] = direction === 1 ? [at, newline < 0 ? text.length : newline] : [newline + 1, at];
    const { time } = readLine(lineAt({ text, form }, start, end), form, clock);
    if (time !== undefined) return time;
    if (newline < 0 || (direction === -1 && newline === 0)) return undefined;
    at = direction === 1 ? newline + 1 : newline;
  }
  return undefined;
}

/** What was found, in the order in which it is told. */
export const messagesOf = (tally: Tally): LogMessage[] =>
  [...tally.values()]
    .sort((a, b) => LOG_KINDS.indexOf(a.row.kind) - LOG_KINDS.indexOf(b.row.kind) || b.count - a.count)
    .map(({ row, count, first, last, minutes, line, source }) => ({
      id: row.id,
      kind: row.kind,
      says: row.says,
      ...(row.runtime && { runtime: row.runtime }),
      ...(row.library !== undefined && { library: row.library }),
      count,
      ...(first !== undefined && { first }),
      ...(last !== undefined && { last }),
      perMinute: [...minutes]
        .sort(([a], [b]) => a - b)
        .slice(-MOST_MINUTES)
        .map(([at, inIt]) => ({ at, count: inIt })),
      example: exampleOf(utf8(line)),
      source,
    }));
