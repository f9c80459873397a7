import { closeSync, constants, fchownSync, fstatSync, lstatSync, openSync, unlinkSync } from 'node:fs';
import process from 'node:process';
import type { Jvm } from './jvm.ts';
import { failed, refused } from './trouble.ts';

/** A directory, held open: it is reached even when the process that it is of has ended. */
export type OpenDirectory = { fd: number; path(name: string): string; close(): void };

export function openDirectory(path: string): OpenDirectory {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  return { fd, path: (name) => `/proc/self/fd/${fd}/${name}`, close: () => closeSync(fd) };
}

/** So old is what a tool has left behind that did not end well: the JVM looks for it at once. */
const LEFTOVER_MS = 10_000;

/**
 * Puts the file by which HotSpot knows that SIGQUIT asks for its attach listener, and not for a thread dump on its output:
 * `.attach_pid<nspid>` in its working directory or in /tmp, owned by its user. Gives what removes it, which
 * happens at the end of our process, too.
 */
export function placeTrigger(jvm: Jvm): () => void {
  const name = `.attach_pid${jvm.nspid}`;
  for (const place of [`/proc/${jvm.pid}/cwd`, `/proc/${jvm.pid}/root/tmp`]) {
    const remove = tryPlace(place, name, jvm);
    if (remove) return remove;
  }
  throw failed(
    `pid ${jvm.pid} could not be told to open its attach listener: its working directory and /tmp take no file of its user`,
    'make one of the two writable',
  );
}

function tryPlace(place: string, name: string, jvm: Jvm): (() => void) | undefined {
  let directory: OpenDirectory | undefined;
  let fd: number | undefined;
  try {
    directory = openDirectory(place);
    fd = createNew(directory, name, jvm);
  } catch (error) {
    directory?.close();
    if (isUnwritable(error)) return undefined;
    throw error;
  }
  const remove = remover(directory, name);
  try {
    if (process.getuid?.() === 0) fchownSync(fd, jvm.uid, jvm.gid);
    // Some file systems give every file to one user.
    if (fstatSync(fd).uid === jvm.uid) return remove;
  } catch (error) {
    remove();
    if (isUnwritable(error)) return undefined;
    throw error;
  } finally {
    closeSync(fd);
  }
  remove();
  return undefined;
}

function createNew(directory: OpenDirectory, name: string, { pid }: Jvm): number {
  const path = directory.path(name);
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
  try {
    return openSync(path, flags, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (Date.now() - lstatSync(path).mtimeMs < LEFTOVER_MS)
      throw refused(`another tool attaches to pid ${pid} at this moment`, 'wait for it to end, and look again');
    unlinkSync(path);
    return openSync(path, flags, 0o600);
  }
}

const isUnwritable = (error: unknown): boolean =>
  /^(?:EACCES|EPERM|EROFS|ENOENT|ENOSPC|EDQUOT|EINVAL)$/.test((error as NodeJS.ErrnoException).code ?? '');

/** Removes a file once, at the end of our process at the latest. */
function remover(directory: OpenDirectory, name: string): () => void {
  let done = false;
  const remove = (): void => {
    if (done) return;
    done = true;
    process.removeListener('exit', remove);
    try {
      unlinkSync(directory.path(name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    } finally {
      directory.close();
    }
  };
  process.once('exit', remove);
  return remove;
}
