import { fstatSync, writeSync } from 'node:fs';

/** Where a command writes: a stream, or what is like one. */
export type Output = {
  readonly isTTY: boolean;
  /** Of a terminal. */
  readonly columns?: number;
  write(chunk: string | Uint8Array, done?: () => void): unknown;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
  /** Whether all that was written has been taken already, if that is known. */
  readonly isDone?: boolean;
};

/**
 * Standard output. process.stdout of a pipe takes 4 ms to make, a tenth of what a report on an idle machine needs, so a pipe and
 * a file are written to directly. Either waits until all has been taken.
 */
export function standardOutput(): Output {
  try {
    const status = fstatSync(1);
    return status.isFIFO() || status.isFile() ? new DirectOutput(1) : process.stdout;
  } catch {
    return process.stdout; // closed: it says so itself
  }
}

const NOTHING = new Uint8Array();

class DirectOutput implements Output {
  readonly isTTY = false;
  readonly #fd: number;
  readonly #listeners: ((error: NodeJS.ErrnoException) => void)[] = [];
  #stream: NodeJS.WriteStream | undefined;
  #failed = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  on(_event: 'error', listener: (error: NodeJS.ErrnoException) => void): void {
    this.#listeners.push(listener);
  }

  write(chunk: string | Uint8Array, done?: () => void): void {
    const bytes = this.#failed ? NOTHING : typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    const left = this.#stream ? bytes : this.#writeNow(bytes);
    if (left.length === 0) done?.();
    else this.#later().write(left, done);
  }

  /** Gives what could not be written. */
  #writeNow(bytes: Uint8Array): Uint8Array {
    let left = bytes;
    while (left.length > 0) {
      try {
        left = left.subarray(writeSync(this.#fd, left));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EINTR') continue;
        if (code === 'EAGAIN') return left; // whoever gave us the pipe does not let it wait
        // As a stream tells of it: later, when the command has ended and its exit code is known.
        this.#failed = true;
        setImmediate(() => {
          for (const listener of this.#listeners) listener(error as NodeJS.ErrnoException);
        });
        return left.subarray(left.length);
      }
    }
    return left;
  }

  #later(): NodeJS.WriteStream {
    if (this.#stream) return this.#stream;
    for (const listener of this.#listeners) process.stdout.on('error', listener);
    this.#stream = process.stdout;
    return this.#stream;
  }

  get isDone(): boolean {
    return this.#stream === undefined && !this.#failed;
  }
}
