import type { ParseError } from '../../model/errors.ts';
import type { CaptureCount, CaptureFormat, CaptureRow } from './row.ts';

/** One capture of a paste: the rows below one command or header. */
export type Capture = {
  format: CaptureFormat;
  rows: CaptureRow[];
  counts: CaptureCount[];
  /** The command that stands above it. */
  command?: string;
};

/** What was read of a paste. */
export type CaptureText = {
  captures: Capture[];
  /** Lines that were not understood: the first of them, each with its number and text, and how many there are. */
  errors: ParseError[];
  errorCount: number;
  /** How many of these tell of CLOSE_WAIT. */
  lostCloseWait: number;
  /** Lines that are headers of tables. */
  headers: number;
  /** Lines that are not empty. */
  lines: number;
  /** The tool said that it may not see all processes. */
  notAll: boolean;
  /** Descriptors of sockets that lsof could not name: `can't identify protocol`. */
  unidentified: number;
  /** `ss -s` is in it. */
  statistics: boolean;
  /** The last time that date(1) or watch(1) printed. */
  date?: string;
  /** Names of ports that got a number below 0. */
  portNames: ReadonlyMap<number, string>;
};
