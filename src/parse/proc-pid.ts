import { ParseError } from '../model/errors.ts';
import type { ProcessState } from '../model/process.ts';
import { integer } from './rows.ts';

// Files of /proc/PID: Documentation/filesystems/proc.rst and proc_pid_stat(5), proc_pid_status(5) and so on.

/** `parent` is absent when it is 0: no parent in this pid namespace. */
export type Stat = {
  pid: number;
  name: string;
  state: ProcessState;
  parent?: number;
  threads: number;
  /** Processor time used so far, in ticks like the next. */
  cpuTicks: number;
  /** Clock ticks after boot, 100 a second (USER_HZ) on every architecture Node runs on. */
  startTicks: number;
};

/** `uid` and `gid` are the effective ones. `nspid` is the pid in each nested pid namespace, the outermost first. */
export type Status = {
  name?: string;
  state?: ProcessState;
  threads?: number;
  uid?: number;
  gid?: number;
  nspid?: number[];
  capEff?: bigint;
};

/** `unlimited` is Infinity; absent is unknown. */
export type FdLimits = { soft?: number; hard?: number };

// task_state_array in fs/proc/array.c; x only from 2.6.33 to 3.13.
const STATES = new Map<string, ProcessState>([
  ['R', 'running'],
  ['S', 'sleeping'],
  ['D', 'uninterruptible'],
  ['T', 'stopped'],
  ['t', 'traced'],
  ['Z', 'zombie'],
  ['X', 'dead'],
  ['x', 'dead'],
  ['I', 'idle'],
  ['P', 'parked'],
]);

function processState(letter: string, where: string): ProcessState {
  const state = STATES.get(letter);
  if (!state) throw new ParseError(where, `"${letter}" is no process state`);
  return state;
}

/** The name stands unescaped between the first "(" and the last ")"; what follows it holds no bracket. */
export function parseStat(text: string, path: string): Stat {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) throw new ParseError(path, `no name in brackets in "${text}"`);
  const fields = text
    .slice(close + 1)
    .trim()
    .split(' ');
  const field = (number: number): string => fields[number - 3] ?? ''; // proc_pid_stat(5) counts pid as 1
  if (field(22) === '') throw new ParseError(path, `too few fields in "${text}"`);
  const parentPid = integer(field(4), 10, path);
  return {
    pid: integer(text.slice(0, open).trim(), 10, path),
    name: text.slice(open + 1, close),
    state: processState(field(3), path),
    ...(parentPid === 0 ? {} : { parent: parentPid }),
    threads: integer(field(20), 10, path),
    cpuTicks: integer(field(14), 10, path) + integer(field(15), 10, path), // utime, stime
    startTicks: integer(field(22), 10, path),
  };
}

/** /proc/PID/task/TID/schedstat (Documentation/scheduler/sched-stats.rst): nanoseconds on a processor, and waiting for one. */
export function parseSchedstat(text: string, path: string): { ranMs: number; waitedMs: number } {
  const [ran = '', waited = ''] = text.trim().split(' ');
  return { ranMs: integer(ran, 10, path) / 1e6, waitedMs: integer(waited, 10, path) / 1e6 };
}

/** A missing line leaves its value absent (NSpid is there since 4.1); a line that cannot be read is a ParseError. */
export function parseStatus(text: string, path: string): Status {
  const lines = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) lines.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const status: Status = {};
  const read = (key: string, take: (value: string, where: string) => void) => {
    const value = lines.get(key);
    if (value !== undefined) take(value, `${path} ${key}`);
  };
  read('Name', (value) => {
    // Here, other than in stat, the kernel writes a newline as \n and a backslash as \\.
    status.name = value.replace(/\\(n|\\)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : '\\'));
  });
  read('State', (value, where) => {
    status.state = processState(value.slice(0, 1), where);
  });
  read('Threads', (value, where) => {
    status.threads = integer(value, 10, where);
  });
  read('Uid', (value, where) => {
    status.uid = integer(value.split(/\s+/)[1] ?? '', 10, where);
  });
  read('Gid', (value, where) => {
    // A recording without the names of people has no groups.
    if (value !== '') status.gid = integer(value.split(/\s+/)[1] ?? '', 10, where);
  });
  read('NSpid', (value, where) => {
    status.nspid = value.split(/\s+/).map((pid) => integer(pid, 10, where));
  });
  read('CapEff', (value, where) => {
    if (!/^[0-9a-fA-F]{1,32}$/.test(value)) throw new ParseError(where, `"${value}" is no set of capabilities`);
    status.capEff = BigInt(`0x${value}`);
  });
  return status;
}

export function parseLimits(text: string, path: string): FdLimits {
  const line = text.split('\n').find((candidate) => candidate.startsWith('Max open files'));
  if (line === undefined) return {};
  const [soft, hard] = line.slice('Max open files'.length).trim().split(/\s+/);
  if (!soft || !hard) throw new ParseError(path, `too few columns in "${line}"`);
  const limit = (column: string) => (column === 'unlimited' ? Number.POSITIVE_INFINITY : integer(column, 10, path));
  return { soft: limit(soft), hard: limit(hard) };
}

/** A program that rewrites its title leaves one string with spaces, and NULs where its arguments were. */
export function parseCmdline(bytes: Uint8Array): string[] {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  if (end === 0) return [];
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(0, end)).split('\0');
}

/** Quoted so that a shell reads the same arguments; a single string is a title or a bare program and stays as it is. */
export function commandLine(argv: string[]): string {
  if (argv.length === 1) return (argv[0] ?? '').trimEnd();
  return argv.map((arg) => (/^[\w@%+=:,./~-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`)).join(' ');
}

/** Seconds since 1970, from the text of /proc/stat. */
export function parseBootTime(text: string, path = '/proc/stat'): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith('btime '));
  if (line === undefined) throw new ParseError(path, 'no line begins with btime');
  return integer(line.slice('btime '.length).trim(), 10, path);
}
