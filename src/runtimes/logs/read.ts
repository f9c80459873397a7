import { SystemError } from '../../model/errors.ts';
import type { LogFindings, LogSource } from '../../model/logs.ts';
import { isText } from '../../parse/log-files.ts';
import type { LineForm } from '../../parse/log-line.ts';
import { messagesOf, type Seen, type Tally, tallyPiece } from '../../parse/log-tally.ts';
import { parseLineTime } from '../../parse/log-time.ts';
import type { Subject } from '../subject.ts';
import { containerLogs } from './container.ts';
import { findLogFiles, type LogFile } from './files.ts';
import * as gaps from './gaps.ts';
import { hasJournal, readJournal } from './journal.ts';
import { readTail, regularFile, type Tail } from './tail.ts';

const MOST_FILES = 8;
/** The newest part of each file. */
const MOST_BYTES = 2 << 20;
/** Files are looked at in parts, the newest first, as long as there is time. */
const PIECE_BYTES = 256 << 10;
const FILES_MS = 500;

type Reading = { subject: Subject; now: number; findings: LogFindings; tally: Tally; until: number };

/** What a process has written to its logs that belongs to this trouble. `now` is in milliseconds since 1970. */
export async function readLogs(subject: Subject, now: number): Promise<LogFindings> {
  const { files, outputs, refused } = findLogFiles(subject);
  const findings: LogFindings = { outputs, sources: [], messages: [], gaps: [] };
  const reading: Reading = { subject, now, findings, tally: new Map(), until: performance.now() + FILES_MS };
  for (const { path, code } of refused) findings.gaps.push(gaps.unreadable(path, code));
  for (const file of files.slice(0, MOST_FILES)) readFile(reading, file);
  if (files.length > MOST_FILES) findings.gaps.push(gaps.filesCut(files.length - MOST_FILES));
  readContainerLog(reading);
  await readUnit(reading);
  findings.messages = messagesOf(reading.tally);
  addOutputGaps(findings);
  return findings;
}

function readFile(reading: Reading, file: LogFile): void {
  const { path, stream, fd, rotated } = file;
  const tail = tailOf(reading, file.open, file, file.follow, path);
  if (!tail || !isText(tail.bytes)) return;
  addSource(reading, tail, 'plain', {
    kind: 'file',
    name: path,
    ...(stream && { stream }),
    ...(fd !== undefined && { fd }),
    ...(rotated !== undefined && { rotated }),
  });
}

function tailOf(
  { findings }: Reading,
  open: string,
  id: { device: number; inode: number },
  follow: boolean,
  name: string,
): Tail | undefined {
  try {
    return readTail(open, id, MOST_BYTES, follow);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    findings.gaps.push(gaps.unreadable(name, error.code));
    return undefined;
  }
}

type Named = Omit<LogSource, 'lines' | 'bytes' | 'size' | 'from' | 'to'>;

function addSource(reading: Reading, tail: Tail, form: LineForm, source: Named): void {
  const text = Buffer.from(tail.bytes).toString('latin1');
  const clock = { near: reading.now, zoneMs: zoneOf(text, tail.writtenAt, reading.now) };
  let end = text.length;
  const all: Seen[] = [];
  while (end > 0 && performance.now() < reading.until && !reading.subject.signal.aborted) {
    // From the beginning of a line, so that no line is cut in two.
    const start = end <= PIECE_BYTES ? 0 : text.lastIndexOf('\n', end - PIECE_BYTES) + 1;
    all.push(tallyPiece(reading.tally, { text: text.slice(start, end), source: source.name, form, clock }));
    end = start;
  }
  if (end > 0) reading.findings.gaps.push(gaps.timeIsUp(source.name));
  const to = all.find((seen) => seen.to !== undefined)?.to;
  const from = all.findLast((seen) => seen.from !== undefined)?.from;
  reading.findings.sources.push({
    ...source,
    lines: all.reduce((sum, { lines }) => sum + lines, 0),
    bytes: text.length - end,
    ...(source.kind !== 'journal' && { size: tail.size }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  });
}

const QUARTER_MS = 15 * 60_000;
/** Nepal, Eucla and the Chatham Islands, in quarters of an hour east of Greenwich; all others are at half hours. */
const QUARTER_ZONES: ReadonlySet<number> = new Set([23, 35, 51, 55]);
const MOST_UNDATED = 2;
/** A line is written to its file within this time; else the file's own time tells nothing of the zone. */
const WRITTEN_WITHIN_MS = 2 * 60_000;
const FARTHEST_ZONE_MS = 14 * 3_600_000;

/**
 * What to add to times without a zone. The last line was written when the file was: where the two differ by a whole number of
 * quarters of an hour, as zones do, that is the program's zone. Else our own.
 */
function zoneOf(text: string, writtenAt: number, now: number): number {
  const own = new Date(writtenAt).getTimezoneOffset() * 60_000;
  const lines = text.slice(-16_384).trimEnd().split('\n').reverse();
  // Lines without a time may have come at any time after: a stack belongs to the line before it, and a message may.
  const heads = lines.filter((line) => !/^(?:\s|Caused by|Traceback)/.test(line)).slice(0, 1 + MOST_UNDATED);
  const last = heads.map((line) => parseLineTime(line, now + FARTHEST_ZONE_MS)).find((time) => time !== undefined);
  if (!last || last.zoned) return own;
  const zone = Math.round((writtenAt - last.ms) / QUARTER_MS) * QUARTER_MS;
  const isZone = zone % (2 * QUARTER_MS) === 0 || QUARTER_ZONES.has(-zone / QUARTER_MS);
  const fits =
    isZone && Math.abs(writtenAt - last.ms - zone) <= WRITTEN_WITHIN_MS && Math.abs(zone) <= FARTHEST_ZONE_MS;
  return fits ? zone : own;
}

function readContainerLog(reading: Reading): void {
  for (const { path, form } of containerLogs(reading.subject.process)) {
    try {
      const file = regularFile(path);
      if (!file) continue;
      const tail = tailOf(reading, path, file, true, path);
      if (tail) addSource(reading, tail, form, { kind: 'container', name: path });
      return;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') {
        reading.findings.gaps.push(gaps.unreadable(path, error.code));
        return;
      }
    }
  }
}

/** Only services: a scope is somebody's session, in which many programs write. */
async function readUnit(reading: Reading): Promise<void> {
  const { unit, container } = reading.subject.process;
  if (!unit?.endsWith('.service') || container || !hasJournal()) return;
  const answer = await readJournal(unit, reading.subject.signal);
  if ('why' in answer) {
    reading.findings.gaps.push(gaps.journalUnreadable(unit, answer.why));
    return;
  }
  if (answer.text === '') return;
  const bytes = Buffer.from(answer.text, 'latin1');
  const tail: Tail = { bytes, whole: false, size: bytes.length, writtenAt: reading.now };
  reading.until = performance.now() + FILES_MS;
  addSource(reading, tail, 'journal', { kind: 'journal', name: unit });
}

/** Where output that nobody keeps goes, so that nobody looks for it. */
function addOutputGaps({ outputs, sources, gaps: found }: LogFindings): void {
  const kept = sources.some(({ kind }) => kind !== 'file');
  const words = [
    ['output', outputs.stdout],
    ['error', outputs.stderr],
  ] as const;
  for (const [word, to] of words) {
    if (to === '/dev/null') found.push(gaps.outputDiscarded(word));
    else if (to?.startsWith('pipe:') && !kept) found.push(gaps.outputPiped(word, to));
  }
  if (sources.length === 0 && found.length === 0) found.push(gaps.noLogs());
}
