import { readFileSync } from 'node:fs';
import { SystemError } from '../model/errors.ts';
import type { DiagRequest } from '../parse/inet-diag.ts';
import { attempt } from './attempt.ts';
import * as libc from './libc.ts';
import { type DatagramSink, type FdTable, type NetnsTables, OWN_NETNS } from './machine.ts';
import { readKernelText } from './read-text.ts';
import { dumpSockets } from './sock-diag.ts';
import { CompactSocketFds } from './socket-fds.ts';

// The answers of the kernel that need system calls Node does not offer. Loaded only where the FFI works.

export const statusOf = libc.fileStatusOf;

let directoryBuffer: libc.Memory | undefined;
let socketDevice: number | undefined;

/** The sockets of a process: one pass over /proc/PID/fd, 2 to 3 microseconds a descriptor, nearly all of it in procfs. */
export function readFdTable(pid: number): FdTable {
  directoryBuffer ??= libc.allocate(65_536);
  socketDevice ??= libc.socketDevice();
  const sockets = new CompactSocketFds();
  let count = 0;
  const directory = libc.openReadOnly(`/proc/${pid}/fd`);
  try {
    for (;;) {
      const length = libc.readDirectory(directory, directoryBuffer);
      if (length === 0) return { count, sockets };
      count += readEntries(directory, directoryBuffer, length, socketDevice, sockets);
    }
  } finally {
    libc.close(directory);
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
export function openNetns(id: number, path: string): NetnsTables {
  const open = () => {
    const sockstat = {
      v4: readKernelText('/proc/thread-self/net/sockstat'),
      v6: attempt(() => readKernelText('/proc/thread-self/net/sockstat6')) ?? '',
    };
    return { socket: libc.openSockDiag(), sockstat };
  };
  const { socket, sockstat } = path === OWN_NETNS ? open() : inNetns(id, path, open);
  return {
    sockstat: () => sockstat,
    dump: (request: DiagRequest, sink: DatagramSink) => dumpSockets(socket, request, sink),
    close: () => libc.close(socket),
  };
}

/** A netlink socket in the namespace with this number, which the process is in, or this one. */
export function openDiagIn(id: number, pid: number): { fd: number; close(): void } {
  const own = libc.fileStatusOf(OWN_NETNS).inode === id;
  const fd = own ? libc.openSockDiag() : inNetns(id, `/proc/${pid}/ns/net`, libc.openSockDiag);
  return { fd, close: () => libc.close(fd) };
}

/** A connection within the namespace with this number, which the process is in. The descriptor is good from anywhere. */
export const connectIn = (id: number, pid: number, address: Uint8Array, port: number): number =>
  inNetns(id, `/proc/${pid}/ns/net`, () => libc.connectTcp(address, port));

/** Runs `action`, which must be synchronous, with the main thread in another namespace. */
export function inNetns<T>(id: number, path: string, action: () => T): T {
  const home = libc.openReadOnly('/proc/thread-self/ns/net');
  try {
    const there = libc.openReadOnly(path);
    try {
      // The process may have ended and its pid be another's, or something else be mounted there by now.
      if (libc.fileStatusOf(`/proc/self/fd/${there}`).inode !== id) throw new SystemError('ESRCH', `open ${path}`);
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
