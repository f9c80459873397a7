import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, statSync } from 'node:fs';
import { availableParallelism, hostname, release } from 'node:os';
import { isDenied, SystemError } from '../model/errors.ts';
import type { Container } from '../model/process.ts';
import type { ContainerNames } from '../parse/container-config.ts';
import { readContainerNames } from './container-names.ts';
import { evenRanges } from './fd-ranges.ts';
import { isKernelThread } from './kernel-thread.ts';
import {
  type FdOwner,
  type FdTable,
  type HeldAnswer,
  type HeldRequest,
  type Host,
  type Machine,
  type NetNsEntry,
  type NetnsTables,
  NO_ANSWER,
  OWN_NETNS,
  type ProcessEntry,
} from './machine.ts';
import { readParameters } from './parameters.ts';
import { CompactSocketFds } from './socket-fds.ts';

/** Threads that read at once: libuv has four (UV_THREADPOOL_SIZE). */
const MOST_READERS = 4;
/** Processes that are asked for the number of their descriptors, at 5 microseconds each, to share those out evenly. */
const MOST_COUNTED = 2000;

type Fast = typeof import('./fast.ts');
type HeldSource = import('./bpf/held-source.ts').HeldSource;

/**
 * This machine. With `fast` (system calls through the FFI) it reads everything; without it, text files only: no
 * tables over netlink, no other namespaces than those of visible processes, and slower. With `held` it asks BPF too.
 */
export class LiveMachine implements Machine {
  readonly source = { kind: 'live' } as const;
  readonly #fast: Fast | undefined;
  readonly #held: HeldSource | undefined;
  readonly #statusOf: StatusOf;

  constructor(fast?: Fast, held?: HeldSource) {
    this.#fast = fast;
    this.#held = held;
    this.#statusOf = fast?.statusOf ?? statusOf;
  }

  now(): number {
    return Date.now();
  }

  pause(milliseconds: number): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
  }

  host(): Host {
    return { name: hostname(), kernel: release(), arch: process.arch };
  }

  processes(): ProcessEntry[] {
    return listPids().flatMap((pid) => describeProcess(pid, this.#statusOf) ?? []);
  }

  fdOwners(pids: number[]): Map<number, FdOwner> {
    const owners = new Map<number, FdOwner>();
    for (const pid of pids) {
      const owner = readFdOwner(pid, this.#statusOf);
      if (owner) owners.set(pid, owner);
    }
    return owners;
  }

  ownNetns(): number {
    return wrap(OWN_NETNS, () => statSync(OWN_NETNS).ino);
  }

  openNetns({ id }: NetNsEntry, path: string): NetnsTables {
    if (!this.#fast) throw new SystemError('ENOSYS', 'no foreign function interface: NETLINK_SOCK_DIAG');
    return this.#fast.openNetns(id, path);
  }

  heldSockets(request: HeldRequest): HeldAnswer {
    if (!this.#held) throw new SystemError(NO_ANSWER, 'BPF was not asked for');
    return this.#held.read(request);
  }

  close(): void {
    this.#held?.close();
  }

  /** What is refused here is refused again when it is asked for. */
  async readAhead(request: HeldRequest, sockets: number): Promise<void> {
    const threads = Math.min(availableParallelism(), MOST_READERS);
    if (!this.#held || threads < 2) return;
    try {
      await this.#held.readAhead(request, evenRanges(this.#fdCounts(), threads), sockets);
    } catch (error) {
      // Of RangeError: so much memory at once is not to be had.
      if (!(error instanceof SystemError || error instanceof RangeError)) throw error;
    }
  }

  #fdCounts(): number[] {
    const pids = listPids();
    return pids.length > MOST_COUNTED ? [] : [...this.fdOwners(pids).values()].map(({ fdCount = 0 }) => fdCount);
  }

  fdTable(pid: number): FdTable {
    return this.#fast ? this.#fast.readFdTable(pid) : readFdTable(pid);
  }

  socketProtocol(pid: number, fd: number): string {
    if (!this.#fast) throw new SystemError('ENOSYS', 'no foreign function interface: getxattr');
    return this.#fast.readSocketProtocol(pid, fd);
  }

  cgroupPids(id: bigint): number[] {
    if (!this.#fast) throw new SystemError('ENOSYS', 'no foreign function interface: open_by_handle_at');
    return this.#fast.readCgroupPids(id);
  }

  parameters({ id }: NetNsEntry, path: string, names: readonly string[]): Record<string, string> {
    if (path === OWN_NETNS) return readParameters(names);
    if (!this.#fast) throw new SystemError('ENOSYS', 'no foreign function interface: setns');
    return this.#fast.inNetns(id, path, () => readParameters(names));
  }

  containerNames(container: Pick<Container, 'engine' | 'id'>): ContainerNames {
    return readContainerNames(container);
  }

  read(path: string): Uint8Array {
    return wrap(path, () => readFileSync(path));
  }

  readHead(path: string, length: number): Uint8Array {
    return wrap(path, () => {
      const fd = openSync(path, 'r');
      try {
        const bytes = new Uint8Array(length);
        return bytes.subarray(0, readSync(fd, bytes, 0, length, 0));
      } finally {
        closeSync(fd);
      }
    });
  }

  link(path: string): string {
    return wrap(path, () => readlinkSync(path));
  }

  list(path: string): string[] {
    return wrap(path, () => readdirSync(path));
  }
}

const listPids = (): number[] =>
  wrap('/proc', () => readdirSync('/proc'))
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number);

function wrap<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    throw new SystemError(code, path);
  }
}

/** Follows links. */
type StatusOf = (path: string) => { isDirectory: boolean; uid: number; inode: number; size: number };

function statusOf(path: string): ReturnType<StatusOf> {
  const status = statSync(path);
  return { isDirectory: status.isDirectory(), uid: status.uid, inode: status.ino, size: status.size };
}

function describeProcess(pid: number, status: StatusOf): ProcessEntry | undefined {
  try {
    const { isDirectory, inode } = status(`/proc/${pid}/ns/net`);
    // Where this link must not be followed, late Linux 5.10 (seen on 5.10.262) leads to the link's own directory.
    return isDirectory ? { pid } : { pid, netns: inode };
  } catch (error) {
    // Not ours to look at, which the capture reports; or it has ended, or is a zombie, and holds nothing.
    return isDenied(error) ? { pid } : undefined;
  }
}

/** st_size of our own /proc/self/fd: more than 0 where the kernel counts descriptors (since 6.2). */
let ownFds: number | undefined;

function readFdOwner(pid: number, status: StatusOf): FdOwner | undefined {
  try {
    const { uid, size } = status(`/proc/${pid}/fd`);
    ownFds ??= status('/proc/self/fd').size;
    if (ownFds > 0) return { uid, fdCount: size };
    return { uid, ...(isKernelThread(pid) && { fdCount: 0 }) };
  } catch (error) {
    return isDenied(error) ? {} : undefined; // or it has ended since /proc was listed
  }
}

function readFdTable(pid: number): FdTable {
  const directory = `/proc/${pid}/fd`;
  const names = wrap(directory, () => readdirSync(directory));
  const sockets = new CompactSocketFds();
  for (const name of names) {
    let target: string;
    try {
      target = readlinkSync(`${directory}/${name}`);
    } catch (error) {
      if (isDenied(error)) throw new SystemError('EACCES', `${directory}/${name}`);
      continue; // closed since the directory was listed
    }
    const inode = Number(/^socket:\[([0-9]+)\]$/.exec(target)?.[1] ?? 0);
    if (inode !== 0) sockets.add(inode, Number(name));
  }
  return { count: names.length, sockets };
}
