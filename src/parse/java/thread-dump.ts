import { ParseError } from '../../model/errors.ts';
import type { Deadlock, Frame, Strand } from '../../model/inside.ts';
import { parseDeadlocks } from './deadlocks.ts';
import { originOf } from './origin.ts';

// What HotSpot prints for `threaddump`: VM_PrintThreads, Threads::print_on and javaVFrame::print_lock_info_on in
// src/hotspot/share/runtime, from JDK 8 on. Names of threads stand in it as they are, quotes and newlines included.

/** `nid` is the kernel's number of the thread in the process's own pid namespace, `id` that of java.lang.Thread. */
type DumpedThread = { nid?: number; id?: number; strand: Strand };

/** `complete` tells whether the end of the list of threads was reached, `cutStacks` how many stacks were not kept whole. */
export type ThreadDump = {
  threads: DumpedThread[];
  deadlocks: Deadlock[];
  complete: boolean;
  cutStacks: number;
  /** There are, or were, virtual threads, of which only those stand here that run at this moment (JDK 21 and later). */
  hasVirtual: boolean;
};

/** Longer lines come from names of threads alone; what is matched here takes the square of a line's length at worst. */
const LONGEST_LINE = 1000;

/** HotSpot itself ends a stack after 1024 frames; the outermost ones say little. */
const MOST_FRAMES = 200;

const HEADER =
  /^"(?<name>.*)"(?<java> #[0-9]+)?(?: \[(?<tid>[0-9]+)\])?(?<daemon> daemon)?(?: prio=-?[0-9]+)?(?: os_prio=\S+)? .*?\btid=0x[0-9a-f]+(?: nid=(?<nid>0x[0-9a-f]+|[0-9]+))?/;
const STATE = /^ {3}java\.lang\.Thread\.State: ([A-Z_]+)/;
const VIRTUAL = /^ {3}(?:Carrying|Mounted) virtual thread (?:"(?<name>.*)" )?#(?<id>[0-9]+)/;
const FRAME = /^\s*at (.+)\((.*)\)$/;
const LOCK = /^\t- (?<what>[a-z -]+?(?: in wait\(\))?) +<(?<address>0x[0-9a-f]+)> \((?<class>an? .*)\)$/;
const SYNCHRONIZER = /^\t- <(0x[0-9a-f]+)> \(a /;

/** It is there from the first virtual thread on. */
const VIRTUAL_HELPER = /^VirtualThread-un(?:parker|blocker)/;

/** Threads of HotSpot that look like those of a program: they have a Java object. */
const OWN_THREADS =
  /^(?:Reference Handler|Finalizer|Signal Dispatcher|Service Thread|Monitor Deflation Thread|C[12] CompilerThread[0-9]+|JVMCI.*|Sweeper thread|Notification Thread|Common-Cleaner|Attach Listener|Surrogate Locker Thread.*|JFR (?:Recorder Thread|Periodic Tasks|Shutdown Hook|Recording Scheduler|Thread Sampler)|VirtualThread-un(?:parker|blocker)|(?:Read|Write|Master)-?Poller|StringDedupThread|Cleaner-[0-9]+|DestroyJavaVM|MemoryPoolMXBean notification dispatcher)$/;

export function parseThreadDump(text: string): ThreadDump {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith('Full thread dump '));
  if (start < 0)
    throw new ParseError('thread dump', `no line begins with "Full thread dump" in "${text.slice(0, 80)}"`);
  const end = lines.findIndex((line, index) => index > start && line.startsWith('JNI global ref'));
  const threads: ThreadReader[] = [];
  for (const line of lines.slice(start, end < 0 ? undefined : end)) {
    if (line.length > LONGEST_LINE) continue;
    const header = line.startsWith('"') ? HEADER.exec(line) : null;
    if (header?.groups) threads.push(new ThreadReader(header.groups));
    else threads.at(-1)?.read(line);
  }
  const owners = ownersOf(threads);
  return {
    threads: threads.map((thread) => thread.dumped(owners)),
    deadlocks: parseDeadlocks(end < 0 ? [] : lines.slice(end)),
    complete: end >= 0,
    cutStacks: threads.filter(({ cut }) => cut).length,
    hasVirtual: threads.some(({ name }) => VIRTUAL_HELPER.test(name)),
  };
}

/** Who has a lock, by its address. */
type Owners = ReadonlyMap<string, string>;

function ownersOf(threads: readonly ThreadReader[]): Owners {
  const owners = new Map<string, string>();
  for (const { name, locked } of threads) for (const address of locked) owners.set(address, name);
  return owners;
}

type Lock = { address: string; text: string; className: string; parked: boolean };

/** Takes the lines of one thread. */
class ThreadReader {
  readonly name: string;
  /** Addresses of the locks that it has. */
  readonly locked = new Set<string>();
  cut = false;
  readonly #nid: number | undefined;
  readonly #id: number | undefined;
  readonly #ofRuntime: boolean;
  readonly #frames: Frame[] = [];
  /** Where the frames of a virtual thread go that it carries: they are the inner ones. */
  #mounted: Frame[] | undefined;
  #virtual: string | undefined;
  /** In Object.wait() a lock is given back, and still listed. */
  readonly #givenBack = new Set<string>();
  #state: string | undefined;
  #lock: Lock | undefined;

  constructor(header: { [name: string]: string }) {
    this.name = header.name ?? '';
    const id = header.nid ?? header.tid;
    const nid = id === undefined ? Number.NaN : Number(id);
    this.#nid = Number.isSafeInteger(nid) ? nid : undefined;
    this.#id = header.java === undefined ? undefined : Number(header.java.slice(2));
    this.#ofRuntime = header.java === undefined || OWN_THREADS.test(this.name);
  }

  read(line: string): void {
    const frame = FRAME.exec(line);
    if (frame) this.#addFrame(parseFrame(frame[1] ?? '', frame[2] ?? ''));
    else if (line.startsWith('\t- ')) this.#readLock(line);
    else if (line.startsWith('   ')) this.#readState(line);
  }

  #addFrame(frame: Frame): void {
    const frames = this.#mounted ?? this.#frames;
    if (frames.length < MOST_FRAMES) frames.push(frame);
    else this.cut = true;
  }

  #readState(line: string): void {
    this.#state ??= STATE.exec(line)?.[1];
    const virtual = VIRTUAL.exec(line)?.groups;
    if (!virtual) return;
    this.#virtual = virtual.name || `virtual thread #${virtual.id}`;
    if (line.startsWith('   Mounted')) this.#mounted ??= [];
  }

  #readLock(line: string): void {
    const synchronizer = SYNCHRONIZER.exec(line)?.[1];
    if (synchronizer !== undefined) this.locked.add(synchronizer);
    const { what, address, class: described } = LOCK.exec(line)?.groups ?? {};
    if (what === undefined || address === undefined || described === undefined) return;
    if (what === 'waiting on' || what === 'waiting to re-lock in wait()') this.#givenBack.add(address);
    if (what === 'locked' && !this.#givenBack.has(address)) this.locked.add(address);
    if (what === 'waiting to lock' || what === 'waiting to re-lock in wait()' || what === 'parking to wait for')
      this.#lock ??= {
        address,
        text: `<${address}> (${described})`,
        className: described.replace(/^an? /, ''),
        parked: what === 'parking to wait for',
      };
  }

  dumped(owners: Owners): DumpedThread {
    const lock = this.#lock;
    const owner = lock && owners.get(lock.address);
    // Who parks may wait for a condition or a result, too: those are no locks.
    const isLock = lock && (!lock.parked || owner !== undefined || /Sync$/.test(lock.className));
    const strand: Strand = {
      kind: 'thread',
      name: this.#virtual === undefined ? this.name : `${this.name} (carries ${this.#virtual})`,
      ...(this.#state !== undefined && { state: this.#state }),
      frames: [...(this.#mounted ?? []), ...this.#frames],
      ...(isLock && {
        waitsFor: { lock: lock.text, ...(owner !== undefined && owner !== this.name && { owner }) },
      }),
      ...(this.#ofRuntime && { ofRuntime: true as const }),
    };
    return {
      ...(this.#nid !== undefined && { nid: this.#nid }),
      ...(this.#id !== undefined && { id: this.#id }),
      strand,
    };
  }
}

/** `at Shop.price(app@1.2/Shop.java:12)`: module and version are there since JDK 9, and stand before the file. */
export function parseFrame(method: string, place: string): Frame {
  const [, file, line] = /^(?:.*\/)?([^/:]+?)(?::([0-9]+))?$/.exec(place) ?? [];
  const known = file !== undefined && file !== 'Native Method' && file !== 'Unknown Source' && file !== 'Redefined';
  const number = Number(line ?? Number.NaN);
  return {
    function: method,
    ...(known && { file }),
    ...(known && number > 0 && Number.isSafeInteger(number) && { line: number }),
    origin: originOf(method),
  };
}
