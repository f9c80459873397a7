import type { Runtime } from './process.ts';
import type { Gap } from './snapshot.ts';

// What a process has written to its logs that belongs to connections which are not closed.

/** Where a process logs to, and how much of it was read. */
export type LogSource = {
  kind: 'file' | 'journal' | 'container';
  /** Path of the file, name of the unit, path of the container's log. */
  name: string;
  /** It is the standard output or error of the process, or one of its descriptors. */
  stream?: 'stdout' | 'stderr';
  fd?: number;
  /** Lines that were looked at, and from how many bytes of how many there are; a journal does not tell. */
  lines: number;
  bytes: number;
  size?: number;
  /** Times of the first and the last line that were looked at, in milliseconds since 1970; absent where lines have none. */
  from?: number;
  to?: number;
  /** Older files of the same log lie beside it, which were not looked at: how many. */
  rotated?: number;
};

/**
 * What a message is about: descriptors that run out, connections that were not given back or closed, a pool that is empty, workers
 * that are all busy or stuck, the other side that went away, answers that do not come.
 */
export const LOG_KINDS = ['descriptors', 'leak', 'pool', 'workers', 'peer', 'silence'] as const;
export type LogKind = (typeof LOG_KINDS)[number];

type LogMinute = {
  /** Start of the minute, in milliseconds since 1970. */
  at: number;
  count: number;
};

/** A message that was found, all lines of it together. */
export type LogMessage = {
  /** Name of the row in the table of messages: `too-many-open-files`. */
  id: string;
  kind: LogKind;
  /** What it says, and what that has to do with connections that stay open. */
  says: string;
  runtime?: Runtime;
  library?: string;
  count: number;
  /** Times of the first and the last, in milliseconds since 1970; absent where lines have none. */
  first?: number;
  last?: number;
  /** The newest minutes in which it came. */
  perMinute: LogMinute[];
  /** The newest line, cut, without control characters and with what looks like a secret masked. */
  example: string;
  /** Name of the source that the example is from. */
  source: string;
};

/** `outputs` is what standard output and error lead to, as the kernel calls it: a path, `pipe:[812]`, `/dev/null`. */
export type LogFindings = {
  outputs: { stdout?: string; stderr?: string };
  sources: LogSource[];
  /** In the order of their kinds, and of one kind the most frequent first. */
  messages: LogMessage[];
  gaps: Gap[];
};
