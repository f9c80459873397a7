import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, statSync } from 'node:fs';
import { hostname, release } from 'node:os';
import { isDenied, SystemError } from '../model/errors.ts';
import type { Container } from '../model/process.ts';
import type { ContainerNames } from '../parse/container-config.ts';
import { readContainerNames } from './container-names.ts';
import {
  type FdTable,
  type Machine,
  type NetNsEntry,
  type NetnsTables,
  OWN_NETNS,
  type ProcessEntry,
} from './machine.ts';
import { CompactSocketFds } from './socket-fds.ts';

type Fast = typeof import('./fast.ts');

/**
 * This machine. With `fast` (system calls through the FFI) it reads everything; without it, text files only: no
 * tables over netlink, no other namespaces than those of visible processes, and slower.
 */
export class LiveMachine implements Machine {
  readonly source = { kind: 'live' } as const;
  readonly #fast: Fast | undefined;

  constructor(fast?: Fast) {
    this.#fast = fast;
  }

  now(): number {
    return Date.now();
  }

  host(): { name: string; kernel: string } {
    return { name: hostname(), kernel: release() };
  }

  processes(): ProcessEntry[] {
    const pids = wrap('/proc', () => readdirSync('/proc')).filter((name) => /^[0-9]+$/.test(name));
    const describe = this.#fast?.describeProcess ?? describeProcess;
    return pids.map((pid) => describe(Number(pid))).filter((entry) => entry !== undefined);
  }

  ownNetns(): number {
    return wrap(OWN_NETNS, () => statSync(OWN_NETNS).ino);
  }

  openNetns(entry: NetNsEntry): NetnsTables {
    if (!this.#fast) throw new SystemError('ENOSYS', 'no foreign function interface: NETLINK_SOCK_DIAG');
    return this.#fast.openNetns(entry, entry.id === this.ownNetns());
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
}

function wrap<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    throw new SystemError(code, path);
  }
}

function describeProcess(pid: number): ProcessEntry | undefined {
  const entry: ProcessEntry = { pid };
  try {
    const status = statSync(`/proc/${pid}/fd`);
    entry.uid = status.uid;
    if (status.size > 0) entry.fdCount = status.size;
  } catch {
    return undefined; // it ended since the directory was listed
  }
  try {
    entry.netns = statSync(`/proc/${pid}/ns/net`).ino;
  } catch (error) {
    if (!isDenied(error)) return undefined; // it is a zombie: it holds nothing
    // not ours to look at: the namespace stays unknown, which the capture reports
  }
  return entry;
}

function readFdTable(pid: number): FdTable {
  const directory = `/proc/${pid}/fd`;
  const names = wrap(directory, () => readdirSync(directory));
  const sockets = new CompactSocketFds();
  for (const name of names) {
    let target: string;
    try {
      target = readlinkSync(`${directory}/${name}`);
    } catch {
      continue; // closed since the directory was listed
    }
    const inode = Number(/^socket:\[([0-9]+)\]$/.exec(target)?.[1] ?? 0);
    if (inode !== 0) sockets.add(inode, Number(name));
  }
  return { count: names.length, sockets };
}
