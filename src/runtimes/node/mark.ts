import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attempt } from '../../kernel/attempt.ts';
import { cacheDirectory } from '../../kernel/cache-directory.ts';
import { readKernelText } from '../../kernel/read-text.ts';
import { parseStat } from '../../parse/proc-pid.ts';

const PREFIX = 'inspector-of-';

/**
 * Remembers that we have sent a process the signal that opens its inspector: should it open only after we have gone, the
 * next look closes it. A file of our own, named after the process; none where there is no folder for such.
 */
export class Mark {
  readonly #path: string | undefined;

  constructor(pid: number) {
    const directory = cacheDirectory();
    const name = attempt(() => nameFor(pid));
    if (directory === undefined || name === undefined) return;
    forgetEnded(directory);
    this.#path = join(directory, name);
  }

  exists(): boolean {
    return this.#path !== undefined && existsSync(this.#path);
  }

  /** False where it cannot be kept. */
  set(): boolean {
    return this.#path !== undefined && succeeds(writeFileSync, this.#path, '');
  }

  clear(): void {
    if (this.#path !== undefined) succeeds(rmSync, this.#path, { force: true });
  }
}

function succeeds<A extends unknown[]>(act: (...args: A) => void, ...args: A): boolean {
  try {
    act(...args);
    return true;
  } catch {
    return false; // a full disk: the mark is a convenience
  }
}

/** No other process has this name, not even after a restart of the machine. */
function nameFor(pid: number): string {
  const path = `/proc/${pid}/stat`;
  const boot = readKernelText('/proc/sys/kernel/random/boot_id').trim();
  return `${PREFIX}${pid}-${parseStat(readKernelText(path), path).startTicks}-${boot}`;
}

function forgetEnded(directory: string): void {
  for (const name of readdirSync(directory)) {
    const pid = Number(/^inspector-of-([0-9]+)-/.exec(name)?.[1]);
    if (name.startsWith(PREFIX) && attempt(() => nameFor(pid)) !== name)
      succeeds(rmSync, join(directory, name), { force: true });
  }
}
