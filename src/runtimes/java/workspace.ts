import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  mkdirSync,
  openSync,
  rmdirSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import process from 'node:process';
import { SystemError } from '../../model/errors.ts';
import { type Jvm, readRegularFile } from './jvm.ts';
import { type OpenDirectory, openDirectory } from './trigger.ts';

const MOST_BYTES = 64 << 20;

/** A directory in the JVM's own /tmp in which only its user reads, for what the JVM reads and writes. Nothing of it stays. */
export class Workspace {
  readonly name = `unclosed-${randomBytes(8).toString('hex')}`;
  readonly #jvm: Jvm;
  readonly #tmp: OpenDirectory;
  readonly #directory: OpenDirectory;
  readonly #files = new Set<string>();

  constructor(jvm: Jvm) {
    this.#jvm = jvm;
    this.#tmp = openDirectory(`/proc/${jvm.pid}/root/tmp`);
    try {
      mkdirSync(this.#tmp.path(this.name), 0o700);
      this.#directory = openDirectory(this.#tmp.path(this.name));
    } catch (error) {
      this.#tmp.close();
      throw error;
    }
    process.once('exit', this.#removeAll);
    // It must be the one that was just made: in a /tmp without the sticky bit it could be exchanged.
    const { uid, mode } = fstatSync(this.#directory.fd);
    if (uid !== process.geteuid?.() || (mode & 0o777) !== 0o700) {
      this.remove();
      throw new SystemError('EEXIST', 'mkdir in /tmp');
    }
    this.#give(this.#directory.fd);
  }

  /** The path of a file as the JVM calls it. */
  file(name: string): string {
    this.#files.add(name);
    return `/tmp/${this.name}/${name}`;
  }

  /** Writes a file for the JVM to read, and gives its path there. */
  write(name: string, text: string): string {
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
    const path = this.file(name);
    const fd = openSync(this.#directory.path(name), flags, 0o600);
    try {
      writeSync(fd, text);
      this.#give(fd);
    } finally {
      closeSync(fd);
    }
    return path;
  }

  #give(fd: number): void {
    if (process.geteuid?.() === 0) fchownSync(fd, this.#jvm.uid, this.#jvm.gid);
  }

  /** What the JVM has written. */
  read(name: string): Uint8Array {
    return readRegularFile(this.#directory.path(name), MOST_BYTES, this.#jvm.uid);
  }

  remove(): void {
    process.removeListener('exit', this.#removeAll);
    this.#removeAll();
    this.#directory.close();
    this.#tmp.close();
  }

  readonly #removeAll = (): void => {
    for (const name of this.#files) unlessGone(() => unlinkSync(this.#directory.path(name)));
    unlessGone(() => rmdirSync(this.#tmp.path(this.name)));
  };
}

function unlessGone(act: () => void): void {
  try {
    act();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
