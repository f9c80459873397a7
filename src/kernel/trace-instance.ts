import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { SystemError } from '../model/errors.ts';
import { parseStat } from '../parse/proc-pid.ts';
import { parseTransitionFormat, readTracePage, type TransitionFormat } from '../parse/trace-page.ts';
import type { TransitionSink } from '../parse/transitions.ts';
import { isFirstPidNamespace } from './pid-namespace.ts';
import type { TransitionSource } from './transitions.ts';

const TRACEFS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];
const EVENT = 'events/sock/inet_sock_set_state';
/** IPPROTO_TCP, and CLOSE_WAIT on either side. */
const FILTER = 'protocol==6 && (newstate==8 || oldstate==8)';
/** Of each processor: about 50,000 entries and exits. */
const BUFFER_KB = 4096;
/** Larger than a page of any architecture: a read gives one page at most. */
const READ_SIZE = 65_536;

/**
 * The tracepoint inet_sock_set_state through an instance of tracefs of our own (Documentation/trace/ftrace.rst), which
 * others who trace do not see. Unlike a BPF program it outlives us if we are killed, so it carries our pid and the time we
 * started in its name, and whoever comes next removes it.
 */
export class TracefsTransitions implements TransitionSource {
  readonly kind = 'tracefs';
  readonly #instance: string;
  readonly #format: TransitionFormat;
  readonly #pipes: number[] = [];
  readonly #page = Buffer.allocUnsafeSlow(READ_SIZE);
  readonly #processes = new Map<number, number>();
  readonly #withPids = isFirstPidNamespace();
  #lost = false;

  /** Throws SystemError where the machine does not allow it. */
  constructor() {
    const instances = join(mountPoint(), 'instances');
    removeStale(instances);
    this.#instance = join(instances, nameFor(process.pid));
    attempt(this.#instance, () => mkdirSync(this.#instance));
    process.on('exit', this.#remove);
    try {
      this.#format = parseTransitionFormat(
        attempt(EVENT, () => readFileSync(join(this.#instance, EVENT, 'format'), 'utf8')),
      );
      this.#write('tracing_on', '0');
      this.#write('buffer_size_kb', String(BUFFER_KB));
      this.#write(`${EVENT}/filter`, FILTER);
      this.#write(`${EVENT}/enable`, '1');
      for (const cpu of attempt(this.#instance, () => readdirSync(join(this.#instance, 'per_cpu')))) {
        const path = join(this.#instance, 'per_cpu', cpu, 'trace_pipe_raw');
        this.#pipes.push(attempt(path, () => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)));
      }
      this.#write('tracing_on', '1');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #write(file: string, text: string): void {
    const path = join(this.#instance, file);
    attempt(path, () => writeFileSync(path, text));
  }

  drain(sink: TransitionSink): void {
    this.#processes.clear();
    const pageSink = {
      entered: (socket: number) => sink.entered(socket, 0),
      left: (socket: number, tid: number) => sink.left(socket, this.#processOf(tid)),
    };
    for (const pipe of this.#pipes) this.#drainPipe(pipe, pageSink);
  }

  #drainPipe(pipe: number, sink: Parameters<typeof readTracePage>[2]): void {
    for (;;) {
      let length: number;
      try {
        length = readSync(pipe, this.#page, 0, READ_SIZE, null);
      } catch (error) {
        const { code = 'EIO' } = error as NodeJS.ErrnoException;
        if (code === 'EAGAIN' || code === 'EINTR') return;
        throw new SystemError(code, 'read trace_pipe_raw');
      }
      if (length === 0) return;
      if (readTracePage(this.#page.subarray(0, length), this.#format, sink)) this.#lost = true;
    }
  }

  /** Events name threads; 0 for one that has ended since, and where threads have other numbers for us. */
  #processOf(tid: number): number {
    const known = this.#processes.get(tid);
    if (known !== undefined) return known;
    const path = `/proc/${tid}/status`;
    let pid = 0;
    try {
      pid = this.#withPids ? Number(/^Tgid:\s*([0-9]+)$/m.exec(readFileSync(path, 'latin1'))?.[1] ?? 0) : 0;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    }
    this.#processes.set(tid, pid);
    return pid;
  }

  takeLost(): boolean {
    const lost = this.#lost;
    this.#lost = false;
    return lost;
  }

  close(): void {
    process.off('exit', this.#remove);
    this.#remove();
  }

  readonly #remove = (): void => {
    // An instance with an open pipe is busy, stays, and goes on tracing.
    for (const pipe of this.#pipes.splice(0)) closeSync(pipe);
    removeInstance(this.#instance);
  };
}

function mountPoint(): string {
  const found = TRACEFS.find((path) => existsSync(join(path, 'instances')));
  if (found === undefined) throw new SystemError('ENOENT', `tracefs is not mounted, or not for us: ${TRACEFS[0]}`);
  return found;
}

/** The time of the start, because a pid may be given again. */
function nameFor(pid: number): string {
  const path = `/proc/${pid}/stat`;
  return `unclosed-${pid}-${parseStat(readFileSync(path, 'latin1'), path).startTicks}`;
}

function removeStale(instances: string): void {
  const ours = attempt(instances, () => readdirSync(instances)).filter((name) => /^unclosed-[0-9]+-[0-9]+$/.test(name));
  for (const name of ours) if (!isAlive(name)) removeInstance(join(instances, name));
}

function isAlive(name: string): boolean {
  try {
    return nameFor(Number(name.split('-')[1])) === name;
  } catch {
    return false; // there is no such process
  }
}

/** Best effort: what is left is off, and is tried again by whoever comes next. */
function removeInstance(path: string): void {
  for (const act of [() => writeFileSync(join(path, 'tracing_on'), '0'), () => rmdirSync(path)]) {
    try {
      act();
    } catch {
      // gone already, or busy
    }
  }
}

function attempt<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new SystemError(code, path);
  }
}
