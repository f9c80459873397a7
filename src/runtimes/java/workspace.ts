import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  mkdirSync,
  openSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import process from 'node:process';
import { SystemError } from '../../model/errors.ts';
import { type Jvm, readRegularFile } from './jvm.ts';
import { type OpenDirectory, openDirectory, remover } from './trigger.ts';

const SETTINGS = 'settings.jfc';
const RECORDING = 'recording.jfr';
/** maxsize of the recording is a third of it: chunks are dropped whole. */
const MOST_BYTES = 64 << 20;

/** A directory in the JVM's own /tmp in which only its user reads, for what the JVM reads and writes. Nothing of it stays. */
export class Workspace {
  /** As the JVM calls them. */
  readonly settings: string;
  readonly recording: string;
  readonly #jvm: Jvm;
  readonly #directory: OpenDirectory;
  readonly #removeDirectory: () => void;

  constructor(jvm: Jvm, settings: string) {
    const name = `unclosed-${randomBytes(8).toString('hex')}`;
    const tmp = openDirectory(`/proc/${jvm.pid}/root/tmp`);
    try {
      mkdirSync(tmp.path(name), 0o700);
    } catch (error) {
      tmp.close();
      throw error;
    }
    this.#removeDirectory = remover(tmp, name, 'directory');
    this.#directory = openDirectory(tmp.path(name));
    this.#jvm = jvm;
    this.settings = `/tmp/${name}/${SETTINGS}`;
    this.recording = `/tmp/${name}/${RECORDING}`;
    try {
      this.#fill(settings);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  #fill(settings: string): void {
    // It must be the one that was just made: in a /tmp without the sticky bit it could be exchanged.
    const { uid, mode } = fstatSync(this.#directory.fd);
    if (uid !== process.geteuid?.() || (mode & 0o777) !== 0o700) throw new SystemError('EEXIST', 'mkdir in /tmp');
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
    const fd = openSync(this.#directory.path(SETTINGS), flags, 0o600);
    try {
      writeSync(fd, settings);
      this.#give(fd);
    } finally {
      closeSync(fd);
    }
    this.#give(this.#directory.fd);
    fchmodSync(this.#directory.fd, 0o700);
  }

  #give(fd: number): void {
    if (process.geteuid?.() === 0) fchownSync(fd, this.#jvm.uid, this.#jvm.gid);
  }

  read(): Uint8Array {
    return readRegularFile(this.#directory.path(RECORDING), MOST_BYTES, this.#jvm.uid);
  }

  remove(): void {
    for (const name of [SETTINGS, RECORDING]) {
      try {
        unlinkSync(this.#directory.path(name));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    this.#directory.close();
    this.#removeDirectory();
  }
}
