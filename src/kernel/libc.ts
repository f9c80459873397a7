import { getSystemErrorName } from 'node:util';
import { SystemError } from '../model/errors.ts';
import { koffi } from './koffi.ts';

// The only file with foreign functions. `null` is the running process itself, which has its C library loaded: the same
// call serves glibc and musl. Each declaration is the one of its manual page; buffers that are walked again and again
// are passed as addresses (uintptr_t), which is cheaper than a pointer made for each call.
const libc = koffi.load(null);
const open_ = libc.func('int open(const char *path, int flags)');
const close_ = libc.func('int close(int fd)');
const statx_ = libc.func('int statx(int dirfd, uintptr_t path, int flags, unsigned int mask, uintptr_t statxbuf)');
const statxPath_ = libc.func(
  'int statx(int dirfd, const char *path, int flags, unsigned int mask, uintptr_t statxbuf)',
);
const getdents_ = libc.func('long syscall(long number, int fd, uintptr_t dirp, unsigned long count)');
const bpf_ = libc.func('long syscall(long number, int cmd, uintptr_t attr, unsigned int size)');
const clockResolution_ = libc.func('int clock_getres(int clockid, _Out_ int64_t *res)');
const getxattr_ = libc.func('long getxattr(const char *path, const char *name, _Out_ uint8_t *value, size_t size)');
const setns_ = libc.func('int setns(int fd, int nstype)');
const socket_ = libc.func('int socket(int domain, int type, int protocol)');
const connect_ = libc.func('int connect(int sockfd, const uint8_t *addr, unsigned int addrlen)');
const send_ = libc.func('long send(int sockfd, const uint8_t *buf, size_t len, int flags)');
const recv_ = libc.func('long recv(int sockfd, uintptr_t buf, size_t len, int flags)');
const setsockopt_ = libc.func(
  'int setsockopt(int sockfd, int level, int optname, const uint8_t *optval, unsigned int optlen)',
);
const getsockopt_ = libc.func(
  'int getsockopt(int sockfd, int level, int optname, _Out_ uint8_t *optval, _Inout_ uint32_t *optlen)',
);
const shutdown_ = libc.func('int shutdown(int sockfd, int how)');
const getsockname_ = libc.func('int getsockname(int sockfd, _Out_ uint8_t *addr, _Inout_ uint32_t *addrlen)');
const getpeername_ = libc.func('int getpeername(int sockfd, _Out_ uint8_t *addr, _Inout_ uint32_t *addrlen)');
const pidfdOpen_ = libc.func('long syscall(long number, int pid, unsigned int flags)');
const pidfdGetfd_ = libc.func('long syscall(long number, int pidfd, int targetfd, unsigned int flags)');
const pidfdSendSignal_ = libc.func('long syscall(long number, int pidfd, int sig, uintptr_t info, unsigned int flags)');
const prlimit_ = libc.func(
  'long syscall(long number, int pid, int resource, const uint64_t *new_limit, uintptr_t old_limit)',
);
const mmap_ = libc.func('void *mmap(void *addr, size_t length, int prot, int flags, int fd, long offset)');
const munmap_ = libc.func('int munmap(void *addr, size_t length)');
const setrlimit_ = libc.func('int setrlimit(int resource, const uint64_t *rlim)');
const sysconf_ = libc.func('long sysconf(int name)');
const openByHandle_ = libc.func('int open_by_handle_at(int mount_fd, const uint8_t *handle, int flags)');

function check(result: number | bigint, call: string): number {
  if (result >= 0) return Number(result);
  throw new SystemError(getSystemErrorName(-koffi.errno()), call);
}

/** Memory with a fixed address: its own allocation, which the garbage collector does not move. */
export type Memory = { bytes: Buffer; address: number };

export function allocate(size: number): Memory {
  const bytes = Buffer.allocUnsafeSlow(size);
  return { bytes, address: Number(koffi.address(bytes)) };
}

// include/uapi/asm-generic/fcntl.h; O_DIRECTORY differs on arm64, and no caller here needs it.
const O_RDONLY = 0;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

export const openReadOnly = (path: string): number =>
  check(open_(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), `open ${path}`);

export const close = (fd: number): void => {
  close_(fd);
};

// struct statx (include/uapi/linux/stat.h) is the same on every architecture, unlike struct stat.
const STATX_TYPE_UID_INO_SIZE = 0x1 | 0x8 | 0x100 | 0x200;
const AT_FDCWD = -100;
// include/uapi/asm-generic/errno-base.h
const EPERM = 1;
const EACCES = 13;
const S_IFMT = 0xf000;
const S_IFSOCK = 0xc000;
const S_IFDIR = 0x4000;
const statxBuffer = allocate(256);
const statxWords = new Uint32Array(statxBuffer.bytes.buffer, statxBuffer.bytes.byteOffset, 64);

export type FileStatus = {
  isDirectory: boolean;
  uid: number;
  inode: number;
  size: number;
  device: number;
};

function fileStatus(): FileStatus {
  const b = statxBuffer.bytes;
  return {
    uid: b.readUInt32LE(20), // stx_uid
    isDirectory: (b.readUInt16LE(28) & S_IFMT) === S_IFDIR, // stx_mode
    inode: Number(b.readBigUInt64LE(32)), // stx_ino
    size: Number(b.readBigUInt64LE(40)), // stx_size
    device: b.readUInt32LE(136) * 2 ** 20 + b.readUInt32LE(140), // stx_dev_major, stx_dev_minor
  };
}

/** Follows links. */
export function fileStatusOf(path: string): FileStatus {
  check(statxPath_(AT_FDCWD, path, 0, STATX_TYPE_UID_INO_SIZE, statxBuffer.address), `statx ${path}`);
  return fileStatus();
}

/**
 * Inode of the socket behind a name in a directory such as /proc/PID/fd; 0 for anything else, -1 when it is gone.
 * The hot path of the whole tool, so without objects and exceptions. `device` is that of sockfs: a socket *file* has
 * the same type, but its inode is of another file system.
 */
export function socketInodeAt(directory: number, name: number, device: number): number {
  if (statx_(directory, name, 0, STATX_TYPE_UID_INO_SIZE, statxBuffer.address) < 0) {
    // A directory that may be listed is no promise that its links may be followed (CAP_SYS_PTRACE).
    const errno = koffi.errno();
    if (errno === EACCES || errno === EPERM) throw new SystemError('EACCES', 'statx /proc/PID/fd');
    return -1;
  }
  if (((statxWords[7] ?? 0) & S_IFMT) !== S_IFSOCK) return 0; // stx_mode, at 28
  if ((statxWords[34] ?? 0) * 2 ** 20 + (statxWords[35] ?? 0) !== device) return 0; // stx_dev_*, at 136
  return statxWords[8] ?? 0; // stx_ino, at 32: sockfs numbers in 32 bits, as inet_diag_msg.idiag_inode does
}

// asm/unistd.h: the generic table serves arm64, riscv64 and loongarch64.
const SYS_getdents64 =
  ({ x64: 217, arm: 217, ia32: 220, ppc64: 202, s390x: 220 } as Record<string, number>)[process.arch] ?? 61;

/** Fills `memory` with struct linux_dirent64 records; 0 at the end of the directory. */
export const readDirectory = (fd: number, memory: Memory): number =>
  check(getdents_(SYS_getdents64, fd, memory.address, memory.bytes.length), 'getdents64');

export function readExtendedAttribute(path: string, name: string): string {
  const value = new Uint8Array(64);
  const size = check(getxattr_(path, name, value, value.length), `getxattr ${path}`);
  return Buffer.from(value.subarray(0, size)).toString('latin1').replace(/\0+$/, '');
}

const CLONE_NEWNET = 0x40000000;
/** Moves the calling thread, which is the main thread: everything until the way back must be synchronous. */
export const enterNetns = (fd: number): void => {
  check(setns_(fd, CLONE_NEWNET), 'setns');
};

// include/linux/socket.h, include/uapi/linux/netlink.h, include/uapi/asm-generic/socket.h
const AF_UNIX = 1;
const AF_INET = 2;
const AF_NETLINK = 16;
const SOCK_STREAM = 1;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_SOCK_DIAG = 4;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
/** A dump answers at once; a kernel that says nothing for so long will not. */
const RECEIVE_TIMEOUT_SECONDS = 10;

export function openSockDiag(): number {
  const fd = check(socket_(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), 'socket(NETLINK_SOCK_DIAG)');
  const timeval = new Uint8Array(16); // struct timeval, 64-bit: seconds, microseconds
  timeval[0] = RECEIVE_TIMEOUT_SECONDS;
  setsockopt_(fd, SOL_SOCKET, SO_RCVTIMEO, timeval, timeval.length);
  return fd;
}

const AF_INET6 = 10;
const SO_SNDTIMEO = 21;
const CONNECT_TIMEOUT_SECONDS = 2;

/** A connection of the namespace that the thread is in. Blocks, so for loopback only, which answers at once. */
export function connectTcp(address: Uint8Array, port: number): number {
  const isV6 = address.length === 16;
  const fd = check(socket_(isV6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 'socket');
  try {
    const timeval = new Uint8Array(16); // struct timeval, 64-bit: seconds, microseconds
    timeval[0] = CONNECT_TIMEOUT_SECONDS;
    setsockopt_(fd, SOL_SOCKET, SO_SNDTIMEO, timeval, timeval.length);
    const name = Buffer.alloc(isV6 ? 28 : 16); // struct sockaddr_in6, sockaddr_in: family, port, in6 flow label, address
    name.writeUInt16LE(isV6 ? AF_INET6 : AF_INET, 0);
    name.writeUInt16BE(port, 2);
    name.set(address, isV6 ? 8 : 4);
    check(connect_(fd, name, name.length), `connect to port ${port}`);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

export const send = (fd: number, message: Uint8Array): void => {
  check(send_(fd, message, message.length, 0), 'send');
};

export const receive = (fd: number, memory: Memory): number =>
  check(recv_(fd, memory.address, memory.bytes.length, 0), 'recv');

/** Device number of sockfs, the file system of all sockets. */
export function socketDevice(): number {
  const fd = check(socket_(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), 'socket');
  try {
    return fileStatusOf(`/proc/self/fd/${fd}`).device;
  } finally {
    close(fd);
  }
}

const SO_NETNS_COOKIE = 71; // include/uapi/asm-generic/socket.h, Linux 5.14

/** A number of the network namespace of the calling thread, which no other ever gets; undefined where there is none. */
export function netnsCookie(): string | undefined {
  const fd = check(socket_(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 'socket');
  try {
    const cookie = new Uint8Array(8);
    if (getsockopt_(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, [cookie.length]) < 0) return undefined;
    return new DataView(cookie.buffer).getBigUint64(0, true).toString();
  } finally {
    close(fd);
  }
}

const FILEID_KERNFS = 0xfe; // include/linux/exportfs.h, Linux 5.5

/** Opens the directory of a cgroup by its id (Linux 5.5, CAP_DAC_READ_SEARCH). */
export function openCgroup(mount: number, id: bigint): number {
  const handle = Buffer.alloc(16); // struct file_handle: handle_bytes, handle_type, f_handle
  handle.writeUInt32LE(8, 0);
  handle.writeUInt32LE(FILEID_KERNFS, 4);
  handle.writeBigUInt64LE(id, 8);
  return check(openByHandle_(mount, handle, O_RDONLY | O_CLOEXEC), `open_by_handle_at cgroup ${id}`);
}

// asm/unistd.h: the generic table serves arm64, riscv64 and loongarch64.
const SYS_bpf =
  ({ x64: 321, arm: 386, ia32: 357, ppc64: 361, s390x: 351 } as Record<string, number>)[process.arch] ?? 280;

/** bpf(2). `attributes` is union bpf_attr, as far as the command needs it. */
export const bpf = (command: number, attributes: Memory, name: string): number =>
  check(bpf_(SYS_bpf, command, attributes.address, attributes.bytes.length), `bpf(${name})`);

const CLOCK_MONOTONIC_COARSE = 6;

/** Timer ticks in a second (CONFIG_HZ): the coarse clocks tick with them. */
export function ticksPerSecond(): number {
  const timespec = new BigInt64Array(2); // tv_sec, tv_nsec
  check(clockResolution_(CLOCK_MONOTONIC_COARSE, timespec), 'clock_getres(CLOCK_MONOTONIC_COARSE)');
  const nanoseconds = Number(timespec[1] ?? 0n);
  if (nanoseconds <= 0) throw new SystemError('EINVAL', 'clock_getres(CLOCK_MONOTONIC_COARSE)');
  return Math.round(1e9 / nanoseconds);
}

// asm/unistd.h: added after the tables were made alike, so the same on every architecture (Linux 5.1, 5.3, 5.6).
const SYS_pidfd_send_signal = 424;
const SYS_pidfd_open = 434;
const SYS_pidfd_getfd = 438;

/** A descriptor that stands for the process which has this pid now, and never for another one. */
export const pidfdOpen = (pid: number): number => check(pidfdOpen_(SYS_pidfd_open, pid, 0), `pidfd_open ${pid}`);

/** A copy of a descriptor of that process: the same open file. */
export const pidfdGetfd = (pidfd: number, fd: number): number =>
  check(pidfdGetfd_(SYS_pidfd_getfd, pidfd, fd, 0), `pidfd_getfd ${fd}`);

/** Signal 0 sends nothing, and says whether the process is there. */
export const pidfdSendSignal = (pidfd: number, signal: number): void => {
  check(pidfdSendSignal_(SYS_pidfd_send_signal, pidfd, signal, 0, 0), `pidfd_send_signal ${signal}`);
};

const SYS_prlimit64 =
  ({ x64: 302, arm: 369, ia32: 340, ppc64: 325, s390x: 334 } as Record<string, number>)[process.arch] ?? 261;
const RLIMIT_NOFILE = 7; // include/uapi/asm-generic/resource.h

type FdLimit = { soft: bigint; hard: bigint };

/** Sets the descriptor limit of a process. */
export function setFdLimit(pid: number, { soft, hard }: FdLimit): void {
  check(prlimit_(SYS_prlimit64, pid, RLIMIT_NOFILE, new BigUint64Array([soft, hard]), 0), `prlimit ${pid}`); // struct rlimit64: rlim_cur, rlim_max
}

const SHUT_WR = 1;
export const shutdownSending = (fd: number): void => {
  check(shutdown_(fd, SHUT_WR), 'shutdown');
};

// include/linux/socket.h, include/uapi/asm-generic/socket.h, include/uapi/linux/tcp.h
const SOL_TCP = 6;
const SO_KEEPALIVE = 9;
const SO_COOKIE = 57;
const SO_BINDTOIFINDEX = 62;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_INFO = 11;

function socketOption(fd: number, level: number, option: number, size: number): Uint8Array {
  const value = new Uint8Array(size);
  const length = [size];
  check(getsockopt_(fd, level, option, value, length), `getsockopt ${option}`);
  return value.subarray(0, length[0]);
}

/** struct tcp_info, as far as every kernel since 2.6 has it. */
export const tcpInfo = (fd: number): Uint8Array => socketOption(fd, SOL_TCP, TCP_INFO, 104);

/** The number of a socket that no other one ever gets. */
export const socketCookie = (fd: number): bigint =>
  Buffer.from(socketOption(fd, SOL_SOCKET, SO_COOKIE, 8)).readBigUInt64LE(0);

/** The network interface that a socket is bound to; 0 for none. */
export const boundInterface = (fd: number): number =>
  Buffer.from(socketOption(fd, SOL_SOCKET, SO_BINDTOIFINDEX, 4)).readUInt32LE(0);

/** struct sockaddr_in or sockaddr_in6 of both ends. */
export function socketNames(fd: number): { local: Uint8Array; peer: Uint8Array } {
  const ask = (call: typeof getsockname_, name: string): Uint8Array => {
    const address = new Uint8Array(28);
    const length = [address.length];
    check(call(fd, address, length), name);
    return address.subarray(0, length[0]);
  };
  return { local: ask(getsockname_, 'getsockname'), peer: ask(getpeername_, 'getpeername') };
}

/** Probes after `seconds`, each `seconds`, and gives up after `probes` without an answer. */
export function probePeer(fd: number, seconds: number, probes: number): void {
  const set = (level: number, option: number, value: number): void => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setInt32(0, value, true);
    check(setsockopt_(fd, level, option, bytes, bytes.length), `setsockopt ${option}`);
  };
  set(SOL_TCP, TCP_KEEPIDLE, seconds);
  set(SOL_TCP, TCP_KEEPINTVL, seconds);
  set(SOL_TCP, TCP_KEEPCNT, probes);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
}
// include/uapi/asm-generic/mman-common.h, include/uapi/asm-generic/resource.h
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const RLIMIT_MEMLOCK = 8;
/** The kernel's answer to everything about mappings that is no address: MAP_FAILED, -1. */
const MAP_FAILED = 2n ** 64n - 1n;

const SC_PAGESIZE = 30; // glibc and musl
export const pageSize = (): number => check(sysconf_(SC_PAGESIZE), 'sysconf');

/** Memory that is shared with the kernel. `bytes` must not be touched any more once it is unmapped. */
export type Mapping = { bytes: Uint8Array; unmap(): void };

export function map(fd: number, offset: number, length: number, access: 'read' | 'write'): Mapping {
  const protection = access === 'write' ? PROT_READ | PROT_WRITE : PROT_READ;
  const address: bigint | null = mmap_(null, length, protection, MAP_SHARED, fd, offset);
  if (address === null || address === MAP_FAILED) throw new SystemError(getSystemErrorName(-koffi.errno()), 'mmap');
  return { bytes: new Uint8Array(koffi.view(address, length)), unmap: () => munmap_(address, length) };
}

/** Lets this process lock as much memory as it wants: before Linux 5.11 BPF maps count as locked. */
export const allowLockedMemory = (): void => {
  const unlimited = 2n ** 64n - 1n;
  check(setrlimit_(RLIMIT_MEMLOCK, new BigUint64Array([unlimited, unlimited])), 'setrlimit');
};
