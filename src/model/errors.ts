// Every code that a report, a message or the JSON form can carry. docs/errors.md describes each one;
// test/model/errors.test.ts compares the two, both ways.
export const ERROR_CODES = {
  USAGE: 'the command line is not understood',
  CONFIG_UNREADABLE: 'a configuration file could not be read',
  CONFIG_INVALID: 'a configuration file holds something that is no setting',
  NO_SUCH_PROCESS: 'no process has this pid',
  NOTHING_MATCHES: 'no process matches the filter',
  NOT_LINUX: 'this is not Linux',
  SOURCE_UNAVAILABLE: 'the kernel cannot be asked in the way that --source names',
  NOTHING_READABLE: 'no TCP table could be read',
  RECORDING_MISSING: 'there is no recording at this path',
  RECORDING_FOREIGN: 'this is not a recording of unclosed, or of a version that this one cannot read',
  RECORDING_TRUNCATED: 'a file of the recording is missing or cut short',
  RECORDING_EXISTS: 'the folder for the recording is not empty',
  RECORDING_WRITE: 'the recording could not be written',
  CAPTURE_MISSING: 'there is no capture at this path, or it cannot be read',
  CAPTURE_EMPTY: 'the capture has no lines',
  CAPTURE_FOREIGN: 'this is no output of lsof, ss, netstat or lsfd',
  CAPTURE_UNTELLING: 'the capture cannot tell what is in CLOSE_WAIT',
  CAPTURE_LINES: 'lines of a capture were not understood',
  CAPTURE_LACKS: 'a capture does not tell what a diagnosis needs',
  CAPTURE_NO_STATE: 'a capture has no column with the states',
  CAPTURE_NOT_ALL: 'a capture was taken without the rights to see all processes',
  OUTPUT_FAILED: 'the output could not be written',
  STATE_UNWRITABLE: 'what is done could not be written down',
  STATE_UNREADABLE: 'the log of what was done is not understood',
  DEMO_FAILED: 'the demo server did not start',
  NETLINK_UNAVAILABLE: 'the kernel did not answer over NETLINK_SOCK_DIAG',
  NETLINK_INTERRUPTED: 'the socket table changed while it was read, again and again',
  NETNS_DENIED: 'a network namespace could not be entered',
  NETNS_UNKNOWN: 'the network namespaces of some processes could not be seen',
  FDS_DENIED: 'descriptor tables of some processes could not be read',
  HOLDER_UNKNOWN: 'sockets have no known holder',
  PROC_HIDDEN: '/proc is mounted with hidepid',
  INSIDE_REFUSED: 'a process was not looked into, for its own safety',
  INSIDE_FAILED: 'a process did not answer, or gave an answer that is not understood',
  INSIDE_DENIED: 'the memory or the runtime of a process may not be asked',
  INSIDE_UNSUPPORTED: 'this runtime, or this version of it, cannot be looked into',
  INSIDE_NOT_ASKED: 'a process would tell more if it were asked',
  INSIDE_CUT: 'only a part of what a process holds was looked at',
  LOGS_UNREADABLE: 'the logs of a process were not found or may not be read',
  BUNDLE_WRITE: 'the bundle could not be written',
  PARSE: 'a line or message of the kernel was not understood',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** An error that was to be expected: says what was wrong and what to do about it. Exit code 2. */
export class UnclosedError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string;

  constructor(code: ErrorCode, message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UnclosedError';
    this.code = code;
    this.remedy = remedy;
  }
}

/** Bytes or text that are not what the format says. The message names the place and holds the raw text. */
export class ParseError extends Error {
  constructor(where: string, what: string) {
    super(`${where}: ${what}`);
    this.name = 'ParseError';
  }
}

/** Whether the kernel refused for want of rights, and not because something is gone. Takes errors of Node too. */
export const isDenied = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM');

/** Whether the process or file that was asked for is not there (any more). */
export const isGone = ({ code }: { code: string }): boolean => code === 'ENOENT' || code === 'ESRCH';

/** A system call that failed. `code` is the errno's name, such as EACCES. */
export class SystemError extends Error {
  readonly code: string;
  /** The call, with what it was about: `setns`, `open /proc/812/fd`. */
  readonly call: string;

  constructor(code: string, call: string) {
    super(`${call}: ${code}`);
    this.name = 'SystemError';
    this.code = code;
    this.call = call;
  }
}
