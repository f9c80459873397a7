import type { TcpState } from '../../model/socket.ts';
import { parseServices } from '../services.ts';
import type { Capture, CaptureText } from './capture.ts';
import {
  cleanLine,
  commandOf,
  dateOf,
  isKnownNoise,
  mayBeTitle,
  saysNotAll,
  withoutLineNumber,
  withoutMarks,
  withoutTime,
} from './clean.ts';
import { PortNames } from './endpoint.ts';
import { LineFormats } from './formats.ts';
import { readJsonRecord } from './json.ts';
import { JsonObjects } from './json-objects.ts';
import { LostLines } from './lost-lines.ts';
import { LsofFields } from './lsof-fields.ts';
import { isWindowsComment, readWindowsProgram } from './netstat-windows.ts';
import type { CaptureFormat, CaptureRow } from './row.ts';
import { addSsDetails, stateFilterOf } from './ss.ts';
import { isCountedHeader, isSocketStatistics, readCount, stateCountedBy } from './summary.ts';
import { WrappedLines } from './wrapped.ts';

export type ReaderOptions = {
  /** Name of the file, for messages. */
  path?: string;
  /** One of CAPTURE_FORMATS; or `lsof`, `netstat` or `lsfd` for all formats of that tool. */
  format?: string;
  /** Ports and their service names, for captures with names. */
  services?: ReadonlyMap<number, string>;
  /** Told of each line, cleaned, once it is known what it is; `instead` of that many lines told before. */
  onLine?: (text: string, kind: LineKind, instead?: number) => void;
};

/** `other`: known noise. `header` is noise that holds no names. */
export type LineKind = 'row' | 'header' | 'other' | 'lost';

const UNDRESS = [withoutTime, withoutLineNumber, withoutMarks];

/**
 * Reads pasted captures line by line, finds out the format by content, and splits several captures apart. Every line
 * becomes part of a row, is known noise, or is an error.
 */
export class CaptureReader {
  readonly #options: ReaderOptions;
  readonly #ports: PortNames;
  readonly #formats: LineFormats;
  readonly #fields: LsofFields;
  readonly #json: JsonObjects;
  readonly #wrapped = new WrappedLines();
  readonly #captures: Capture[] = [];
  readonly #lost = new LostLines();
  #headers = 0;
  #lines = 0;
  #line = 0;
  #current: CaptureFormat | undefined;
  #command: string | undefined;
  #only: TcpState | undefined;
  /** The next row begins a new capture. */
  #split = true;
  /** Lines begin with their numbers, so a number alone is an empty line. */
  #numbered = false;
  #notAll = false;
  #statistics = false;
  #unidentified = 0;
  #date: string | undefined;

  constructor(options: ReaderOptions = {}) {
    this.#options = options;
    this.#ports = new PortNames(options.services ?? parseServices(undefined));
    this.#formats = new LineFormats(options.format);
    this.#fields = new LsofFields(this.#ports);
    this.#json = new JsonObjects(
      (object, around) => this.#addRecord(object, around),
      (text) => this.#lose(text, this.#line),
    );
  }

  /** `part` when the line goes on with the next call: only JSON comes in lines of any length. */
  push(text: string, line: number, part = false): void {
    this.#line = line;
    if (this.#json.depth > 0 || (text.charCodeAt(0) <= 0x7b && /^\s*(?:\[\s*)?\{/.test(text) && this.#jsonAllowed())) {
      this.#pushJson(text, line);
      return;
    }
    if (part) return;
    const clean = cleanLine(text);
    if (clean.trim() === '' || /^\s*[[\]]\s*,?$/.test(clean)) return;
    this.#lines++;
    this.#read(clean, line);
  }

  #jsonAllowed(): boolean {
    return this.#formats.allows('lsof-json') || this.#formats.allows('lsfd-json');
  }

  #pushJson(text: string, line: number): void {
    if (this.#json.depth === 0) this.#lines++;
    const rest = this.#json.push(`${text}\n`).trim();
    if (rest !== '') this.push(rest, line);
  }

  #read(text: string, line: number): void {
    if (this.#readRow(text, line)) return;
    if (this.#readFields(text, line)) return;
    if (this.#readDressedRow(text, line)) return;
    if (this.#readContinuation(text, line)) return;
    if (this.#readNoise(text, line)) return;
    if (this.#joinLost(text, line)) return;
    if (this.#readDressed(text, line)) return;
    this.#lose(text, line);
  }

  /** A row behind what editors, loggers and lists put before it. */
  #readDressedRow(text: string, line: number): boolean {
    return UNDRESS.some((undress) => {
      const bare = undress(text);
      const isRow = bare !== undefined && bare !== '' && this.#readRow(bare, line);
      if (isRow && undress === withoutLineNumber) this.#numbered = true;
      return isRow;
    });
  }

  #readDressed(text: string, line: number): boolean {
    if (/^\s*[0-9]{1,7}:$/.test(text) || (this.#numbered && /^\s*[0-9]{1,7}[|)]?$/.test(text))) return true;
    return UNDRESS.some((undress) => {
      const bare = undress(text);
      if (bare === undefined || bare === '') return false;
      if (undress === withoutLineNumber && isKnownNoise(bare)) this.#numbered = true;
      return (
        this.#readContinuation(bare, line) || ((isKnownNoise(bare) || !!commandOf(bare)) && this.#readNoise(bare, line))
      );
    });
  }

  #joinLost(text: string, line: number): boolean {
    const joined = this.#wrapped.join(text, (whole) => this.#parse(whole, line));
    if (!joined) return false;
    this.#lost.takeBack(joined.lines);
    this.#tell(joined.text, 'row', joined.lines);
    this.#addRow(joined.format, joined.row, joined.text);
    return true;
  }

  #parse(text: string, line: number) {
    const only = this.#only;
    return this.#formats.read(text, line, { ports: this.#ports, current: this.#current, only });
  }

  #readRow(text: string, line: number): boolean {
    const read = this.#parse(text, line);
    if (read === undefined) return false;
    this.#wrapped.forgetLost();
    if (read === 'noise') {
      if (text.includes("can't identify protocol")) this.#unidentified++;
      this.#tell(text, 'other');
    } else {
      this.#tell(text, 'row');
      this.#addRow(read.format, read.row, text);
    }
    return true;
  }

  #readFields(text: string, line: number): boolean {
    if (!this.#formats.allows('lsof-fields')) return false;
    if (!this.#fields.open && !LsofFields.begins(text)) return false;
    if (commandOf(text) !== undefined) return false;
    const read = this.#fields.read(text, line);
    if (!read) return false;
    if (read.row) this.#addRow('lsof-fields', read.row);
    this.#tell(text, 'row');
    return true;
  }

  /** Lines that belong to the row above: details of ss, programs of Windows, the rest of a wrapped line. */
  #readContinuation(text: string, line: number): boolean {
    const last = this.#wrapped.last;
    if (!last) return false;
    const better = this.#wrapped.complete(text, (whole) => this.#parse(whole, line));
    if (better) {
      this.#replaceLast(better.row);
      this.#tell(better.text, 'row', 1);
      return true;
    }
    // Details below a row that was not understood are that row's.
    if (this.#wrapped.hasLost) return false;
    if (last.format === 'ss' && addSsDetails(last.row, text)) {
      this.#tell(text, 'row');
      return true;
    }
    if (last.format !== 'netstat-windows') return false;
    const program = readWindowsProgram(text);
    const [holder] = last.row.holders ?? [];
    if (program !== undefined && holder) holder.name = program;
    if (program === undefined && !isWindowsComment(text)) return false;
    this.#tell(text, 'other');
    return true;
  }

  #readNoise(text: string, line: number): boolean {
    if (this.#readCounts(text, line)) return true;
    if (saysNotAll(text)) this.#notAll = true;
    else if (isSocketStatistics(text)) this.#statistics = true;
    else if (isKnownNoise(text)) this.#beginTable(text, line);
    else {
      const command = commandOf(text);
      const date = dateOf(text);
      if (command === undefined && date === undefined) return false;
      if (date !== undefined) this.#date = date;
      if (command !== undefined && command !== '') this.#beginCommand(command);
      this.#tell(text, 'other');
      return true;
    }
    this.#tell(text, 'header');
    return true;
  }

  #readCounts(text: string, line: number): boolean {
    if (!this.#formats.allows('summary')) return false;
    const alone = /^\s*([0-9]{1,15})\s*$/.exec(text)?.[1];
    const state = alone !== undefined && this.#command !== undefined ? stateCountedBy(this.#command) : undefined;
    const count = state ? { line, state, count: Number(alone) } : readCount(text, line);
    if (!count && !isCountedHeader(text)) return false;
    if (count) this.#captureOf('summary').counts.push(count);
    this.#tell(text, 'header');
    return true;
  }

  #beginTable(text: string, line: number): void {
    this.#numbered ||= /^\s*[0-9]/.test(text);
    if (/Recv-Q|Address:Port|COMMAND|local_address|^\s*Proto\s/.test(text)) {
      this.#endFields();
      this.#split = true;
      this.#headers++;
      if (/Address:Port/.test(text)) this.#current = 'ss';
      else if (/^\s*Proto\s/.test(text)) this.#current = 'netstat';
      // The title above it, in whatever language.
      const title = this.#lost.last;
      if (title && title.line >= line - 2 && mayBeTitle(title.text)) this.#lost.takeBack(1);
    }
  }

  #beginCommand(command: string): void {
    this.#endFields();
    this.#split = true;
    this.#command = command;
    this.#only = stateFilterOf(command);
    this.#wrapped.forget();
  }

  #captureOf(format: CaptureFormat): Capture {
    const last = this.#captures.at(-1);
    if (last && last.format === format && !this.#split) return last;
    this.#split = false;
    const made: Capture = { format, rows: [], counts: [], ...(this.#command && { command: this.#command }) };
    this.#captures.push(made);
    return made;
  }

  #addRow(format: CaptureFormat, row: CaptureRow, text = ''): void {
    if (format !== 'lsof-fields') this.#endFields();
    this.#captureOf(format).rows.push(row);
    this.#current = format;
    this.#wrapped.remember(format, row, text);
  }

  #replaceLast(row: CaptureRow): void {
    const rows = this.#captures.at(-1)?.rows;
    if (rows) rows[rows.length - 1] = row;
  }

  #addRecord(object: Record<string, unknown>, around: Record<string, unknown> | undefined): void {
    const read = readJsonRecord(object, around, this.#line, this.#ports);
    if (!read || !this.#formats.allows(read.format)) this.#lose(JSON.stringify(object), this.#line);
    else if (read.row) {
      const { files: _files, processes: _processes, lsfd: _lsfd, ...process } = around ?? {};
      this.#tell(JSON.stringify({ ...process, ...object }), 'row');
      this.#addRow(read.format, read.row);
    } else this.#captureOf(read.format);
  }

  #endFields(): void {
    const row = this.#fields.open ? this.#fields.close() : undefined;
    if (row) this.#captureOf('lsof-fields').rows.push(row);
  }

  #lose(text: string, line: number): void {
    this.#lost.add(text, line);
    this.#wrapped.lose(text);
    this.#tell(text, 'lost');
  }

  #tell(text: string, kind: LineKind, instead?: number): void {
    this.#options.onLine?.(text, kind, instead);
  }

  /** A row without its state among rows that have one was cut, and nobody knows how much of its addresses is left. */
  #refuseCutRows(): void {
    for (const capture of this.#captures) {
      const isCut = ({ incomplete, state, closed }: CaptureRow): boolean => !!incomplete && !state && !closed;
      const whole = capture.rows.filter((row) => !isCut(row));
      if (whole.length === capture.rows.length || !whole.some(({ state }) => state !== undefined)) continue;
      for (const row of capture.rows.filter(isCut)) this.#lose('(cut off before its state)', row.line);
      capture.rows = whole;
    }
  }

  end(): CaptureText {
    this.#endFields();
    this.#refuseCutRows();
    if (this.#json.depth > 0) this.#lose('the end of the JSON is missing', this.#line);
    const { path = 'capture' } = this.#options;
    return {
      captures: this.#captures,
      ...this.#lost.told(path),
      headers: this.#headers,
      lines: this.#lines,
      notAll: this.#notAll,
      unidentified: this.#unidentified,
      statistics: this.#statistics,
      ...(this.#date !== undefined && { date: this.#date }),
      portNames: this.#ports.unknown,
    };
  }
}
