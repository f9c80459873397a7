import { readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { attempt } from '../../kernel/attempt.ts';
import { readText } from '../../kernel/machine.ts';
import { inodesByFd } from '../../kernel/socket-fds.ts';
import { isRotated, isWritten, mayBeLog } from '../../parse/log-files.ts';
import type { Subject } from '../subject.ts';
import { type FileId, regularFile } from './tail.ts';

/** A file that the process logs to. `path` is what the process calls it, `open` the way to it that is taken here. */
export type LogFile = FileId & {
  path: string;
  open: string;
  /** The last part of `open` is a link of /proc, which must be followed. */
  follow: boolean;
  writtenAt: number;
  fd?: number;
  stream?: 'stdout' | 'stderr';
  rotated?: number;
};

export type FoundFiles = {
  files: LogFile[];
  outputs: { stdout?: string; stderr?: string };
  refused: { path: string; code: string }[];
};

const STREAMS = new Map<number, 'stdout' | 'stderr'>([
  [1, 'stdout'],
  [2, 'stderr'],
]);

/** Names of descriptors that are read, at 3 microseconds each. */
const MOST_LINKS = 4000;

/** The regular files that the process writes to and that may be logs, those of its standard output and error first, then the newest. */
export function findLogFiles(subject: Subject): FoundFiles {
  const found: FoundFiles = { files: [], outputs: {}, refused: [] };
  for (const { fd, target } of writtenFiles(subject)) {
    const stream = STREAMS.get(fd);
    if (stream) found.outputs[stream] = target;
    if (!target.startsWith('/') || target.startsWith('/dev/') || !(stream || mayBeLog(target))) continue;
    const file = openable(subject, fd, target, found);
    if (!file) continue;
    const same = found.files.find(({ device, inode }) => device === file.device && inode === file.inode);
    if (!same) found.files.push({ ...file, fd, ...(stream && { stream }) });
  }
  found.files.sort(
    (a, b) => Number(b.stream !== undefined) - Number(a.stream !== undefined) || b.writtenAt - a.writtenAt,
  );
  return found;
}

function writtenFiles({ machine, process: { pid, sockets } }: Subject): { fd: number; target: string }[] {
  const taken = sockets ? inodesByFd(sockets) : new Map<number, number>();
  const fds = (attempt(() => machine.list(`/proc/${pid}/fd`)) ?? [])
    .map(Number)
    .filter((fd) => !taken.has(fd))
    .sort((a, b) => a - b)
    .slice(0, MOST_LINKS);
  return fds.flatMap((fd) => {
    const target = attempt(() => machine.link(`/proc/${pid}/fd/${fd}`));
    if (target === undefined) return [];
    if (STREAMS.has(fd)) return [{ fd, target }];
    if (!mayBeLog(target)) return [];
    return isWritten(attempt(() => readText(machine, `/proc/${pid}/fdinfo/${fd}`)) ?? '') ? [{ fd, target }] : [];
  });
}

/**
 * Root may read every file and takes the descriptor's own link, which leads to exactly that file. Everybody else takes the
 * path, so that a descriptor which the process was given opens no folder that this user may not enter; and only if it leads to
 * the same file.
 */
function openable(
  { process: { pid } }: Subject,
  fd: number,
  target: string,
  found: FoundFiles,
): Omit<LogFile, 'fd' | 'stream'> | undefined {
  const link = `/proc/${pid}/fd/${fd}`;
  const path = target.replace(/ \(deleted\)$/, '');
  try {
    const file = regularFile(link);
    if (!file) return undefined;
    if (process.getuid?.() === 0) return { ...file, path, open: link, follow: true, ...rotatedBeside(pid, path) };
    for (const open of [path, `/proc/${pid}/root${path}`]) {
      const there = attempt(() => regularFile(open));
      if (there?.device === file.device && there.inode === file.inode)
        return { ...file, path, open, follow: false, ...rotatedBeside(pid, path) };
    }
    found.refused.push({ path, code: 'no path to it that this user may take' });
  } catch (error) {
    found.refused.push({ path, code: (error as { code?: string }).code ?? 'EIO' });
  }
  return undefined;
}

function rotatedBeside(pid: number, path: string): { rotated?: number } {
  try {
    const name = basename(path);
    const names = readdirSync(`/proc/${pid}/root${dirname(path)}`);
    const rotated = names.filter((other) => isRotated(other, name)).length;
    return rotated > 0 ? { rotated } : {};
  } catch {
    return {};
  }
}
