import { ParseError } from '../model/errors.ts';
import { parseRows } from './rows.ts';

/** A mapping of /proc/PID/maps (proc_pid_maps(5)). Addresses of user space fit into a double. */
export type Mapping = {
  start: number;
  end: number;
  /** Of `start` in the file. */
  offset: number;
  inode: number;
  /** Absent where it is of no file. One that is not there any more has ` (deleted)` behind it. */
  path?: string;
};

/** The mappings that could be read; they are in the order of their addresses. */
export const parseMaps = (text: string, path: string): Mapping[] => parseRows(text, path, 0, parseRow).rows;

const LINE = /^([0-9a-f]{1,16})-([0-9a-f]{1,16}) \S+ ([0-9a-f]+) \S+ ([0-9]+)(?: +(.*))?$/;

function parseRow(line: string, where: string): Mapping {
  const [, start, end, offset, inode, path] = LINE.exec(line) ?? [];
  if (!start || !end || !offset || !inode) throw new ParseError(where, `no mapping: "${line}"`);
  return {
    start: Number.parseInt(start, 16),
    end: Number.parseInt(end, 16),
    offset: Number.parseInt(offset, 16),
    inode: Number(inode),
    ...(path && { path: withNewlines(path) }),
  };
}

/** A newline in a name is written as \012 (seq_file_path). */
const withNewlines = (path: string): string => path.replace(/\\012/g, '\n');
