import { readFileSync } from 'node:fs';
import { SystemError } from '../model/errors.ts';
import type { DiagRequest } from '../parse/inet-diag.ts';
import * as libc from './libc.ts';
import { type DatagramSink, type FdOwner, type FdTable, type NetnsTables, OWN_NETNS } from './machine.ts';
import { dumpSockets } from './sock-diag.ts';
import { CompactSocketFds } from './socket-fds.ts';

// The answers of the kernel that need system calls Node does not offer. Loaded only where the FFI works.

let ownFdsSize: number | undefined;

/** st_size of /proc/PID/fd is the number of descriptors since Linux 6.2 and 0 before. */
function fdsAreCounted(): boolean {
  ownFdsSize ??= libc.fileStatusOf('/proc/self/fd').size;
  return ownFdsSize > 0;
}

export const inodeOf = (path: string): number => libc.fileStatusOf(path).inode;

export function readFdOwner(pid: number): FdOwner | undefined {
  try {
    const { uid, size } = libc.fileStatusOf(`/proc/${pid}/fd`);
    return { uid, ...(fdsAreCounted() && { fdCount: size }) };
  } catch {
    return undefined; // it has ended since /proc was listed
  }
}

let directoryBuffer: libc.Memory | undefined;
let socketDevice: number | undefined;

/**
 * The sockets of a process. Descriptors are numbered from 0 without gaps as long as none is closed, so they are asked
 * for one by one; listing the directory first costs as much again (2 microseconds a descriptor each, nearly all of it
 * spent in procfs). Where the kernel does not count descriptors, or when many numbers are missing, it is listed.
 */
export function readFdTable(pid: number): FdTable {
  directoryBuffer ??= libc.allocate(65_536);
  socketDevice ??= libc.socketDevice();
  const directory = libc.openReadOnly(`/proc/${pid}/fd`);
  try {
    const count = fdsAreCounted() ? libc.fileStatusOf(`/proc/${pid}/fd`).size : 0;
    const probed = count < FEW_FDS ? undefined : probeFds(directory, count, socketDevice);
    return probed ?? listFds(directory, directoryBuffer, socketDevice);
  } finally {
    libc.close(directory);
  }
}

/** Small tables have gaps: a few descriptors of a shell are 0, 1, 2 and 255. */
const FEW_FDS = 256;

function probeFds(directory: number, count: number, device: number): FdTable | undefined {
  const sockets = new CompactSocketFds();
  const number = new DecimalCounter();
  // A number without a descriptor costs half of one with; when there are more of them the table is sparse.
  let misses = count;
  for (let fd = 0, found = 0; found < count; fd++, number.increment()) {
    const inode = libc.socketInodeAt(directory, number.address, device);
    if (inode < 0) {
      if (--misses < 0) return undefined;
      continue;
    }
    found++;
    if (inode > 0) sockets.add(inode, fd);
  }
  return { count, sockets };
}

/** Counts up in decimal digits in a fixed place of memory, for system calls that take a name. */
class DecimalCounter {
  readonly #memory = libc.allocate(16);
  /** Digits end before the last byte, which is NUL. */
  #first = 14;

  constructor() {
    this.#memory.bytes.fill(0);
    this.#memory.bytes[14] = ZERO;
  }

  get address(): number {
    return this.#memory.address + this.#first;
  }

  increment(): void {
    const { bytes } = this.#memory;
    let digit = 14;
    while (bytes[digit] === NINE) bytes[digit--] = ZERO;
    if (digit < this.#first) this.#first = digit;
    bytes[digit] = bytes[digit] === 0 ? ZERO + 1 : (bytes[digit] ?? ZERO) + 1;
  }
}

const ZERO = 0x30;
const NINE = 0x39;

function listFds(directory: number, buffer: libc.Memory, device: number): FdTable {
  const sockets = new CompactSocketFds();
  let count = 0;
  for (;;) {
    const length = libc.readDirectory(directory, buffer);
    if (length === 0) return { count, sockets };
    count += readEntries(directory, buffer, length, device, sockets);
  }
}

// struct linux_dirent64 (include/linux/dirent.h): d_ino 8, d_off 8, d_reclen 2, d_type 1, d_name with a NUL.
function readEntries(
  directory: number,
  { bytes, address }: libc.Memory,
  length: number,
  device: number,
  sockets: CompactSocketFds,
): number {
  let count = 0;
  for (let offset = 0; offset < length; offset += bytes.readUInt16LE(offset + 16)) {
    const name = offset + 19;
    if (bytes[name] === 0x2e) continue; // "." and ".."
    count++;
    const inode = libc.socketInodeAt(directory, address + name, device);
    if (inode > 0) sockets.add(inode, decimalAt(bytes, name));
  }
  return count;
}

function decimalAt(bytes: Uint8Array, offset: number): number {
  let value = 0;
  for (let i = offset; bytes[i] !== 0; i++) value = value * 10 + (bytes[i] ?? 0) - 0x30;
  return value;
}

export const readSocketProtocol = (pid: number, fd: number): string =>
  libc.readExtendedAttribute(`/proc/${pid}/fd/${fd}`, 'system.sockprotoname');

const CGROUP2_MOUNTS = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'];

/** The processes of a cgroup by its id, as sock_diag gives it. */
export function readCgroupPids(id: bigint): number[] {
  for (const path of CGROUP2_MOUNTS) {
    let mount: number | undefined;
    let directory: number | undefined;
    try {
      mount = libc.openReadOnly(path);
      directory = libc.openCgroup(mount, id);
      return readFileSync(`/proc/self/fd/${directory}/cgroup.procs`, 'latin1').split('\n').filter(Boolean).map(Number);
    } catch {
      // not mounted here, no such cgroup any more, or not allowed: the next place, then the error below
    } finally {
      if (directory !== undefined) libc.close(directory);
      if (mount !== undefined) libc.close(mount);
    }
  }
  throw new SystemError('ENOENT', `cgroup ${id}`);
}

/**
 * Opens the tables of a namespace. A netlink socket stays in the namespace in which it was made, so the thread goes
 * there only for the moment of making it and of reading two small files.
 */
export function openNetns(path: string): NetnsTables {
  const open = () => ({
    socket: libc.openSockDiag(),
    sockstat: {
      v4: readFileSync('/proc/thread-self/net/sockstat', 'latin1'),
      v6: readIfThere('/proc/thread-self/net/sockstat6'),
    },
  });
  const { socket, sockstat } = path === OWN_NETNS ? open() : inNetns(path, open);
  return {
    sockstat: () => sockstat,
    dump: (request: DiagRequest, sink: DatagramSink) => dumpSockets(socket, request, sink),
    close: () => libc.close(socket),
  };
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // a kernel without IPv6
  }
}

/** Runs `action`, which must be synchronous, with the main thread in another namespace. */
function inNetns<T>(path: string, action: () => T): T {
  const home = libc.openReadOnly('/proc/thread-self/ns/net');
  try {
    const there = libc.openReadOnly(path);
    try {
      libc.enterNetns(there);
    } finally {
      libc.close(there);
    }
    try {
      return action();
    } finally {
      goHome(home);
    }
  } finally {
    libc.close(home);
  }
}

// Not a SystemError: everything read from here on would be of the wrong namespace, so nothing may go on.
function goHome(home: number): void {
  try {
    libc.enterNetns(home);
  } catch (error) {
    throw new Error('cannot return to the own network namespace', { cause: error });
  }
}
