import type { Container, SocketFds } from '../model/process.ts';
import type { Source } from '../model/snapshot.ts';
import type { ContainerNames } from '../parse/container-config.ts';
import type { HeldFacts } from '../parse/held-socket.ts';
import type { DiagRequest } from '../parse/inet-diag.ts';

/** `arch` in the words of Node.js: x64, arm64. */
export type Host = { name: string; kernel: string; arch: string };

/** A process and its network namespace, which is absent when it may not be read. */
export type ProcessEntry = { pid: number; netns?: number };

/**
 * Whose a descriptor table is, and how many descriptors it has (absent before Linux 6.2). Both are absent when the process
 * may not be looked at.
 */
export type FdOwner = { uid?: number; fdCount?: number };

/** A network namespace with paths by which it can be entered, and processes that were seen in it (a few of them). */
export type NetNsEntry = { id: number; paths: string[]; pids: number[]; name?: string };

/** Path of the namespace that this process is in. */
export const OWN_NETNS = '/proc/self/ns/net';

/**
 * The sockets among a process's descriptors (inode to descriptor numbers), and how many descriptors there are in all,
 * where those were counted.
 */
export type FdTable = { count?: number; sockets: SocketFds };

/** Which sockets a pass over all descriptors shall find: a mask of TCP states (1 << state), and of which process. */
export type HeldRequest = { states: number; pid?: number };

/** The records of one pass (src/parse/held-socket.ts), and how they were made. */
export type HeldAnswer = { bytes: Uint8Array; facts: HeldFacts };

/** Takes one datagram, the first `length` of `bytes`, which are only good until it returns. True asks for the next. */
export type DatagramSink = (bytes: Uint8Array, length: number) => boolean;

/** The tables of one network namespace. */
export interface NetnsTables {
  /** Text of its sockstat and sockstat6. */
  sockstat(): { v4: string; v6: string };
  /** Asks for sockets over NETLINK_SOCK_DIAG and gives the datagrams of the answer to `sink` while it wants more. */
  dump(request: DiagRequest, sink: DatagramSink): void;
  close(): void;
}

/**
 * Stands for an errno where nobody was asked, as where a recording holds no answer: to whoever asks it is one more thing that
 * cannot be read.
 */
export const NO_ANSWER = 'ENODATA';

/**
 * Everything that is ever asked of a machine. The live one asks the kernel, a recording answers from files, and a
 * recorder stands between. All methods throw SystemError when the kernel refuses.
 */
export interface Machine {
  readonly source: Source;
  /** Milliseconds since 1970; of a recording, when it was taken. */
  now(): number;
  /** Lets time pass before a second look. A recording does not wait. */
  pause(milliseconds: number): void;
  host(): Host;
  processes(): ProcessEntry[];
  ownNetns(): number;
  /** Of those that are still there. */
  fdOwners(pids: number[]): Map<number, FdOwner>;
  openNetns(entry: NetNsEntry, path: string): NetnsTables;
  /** Every descriptor of a TCP socket with what the kernel knows of the socket, in one pass of a BPF iterator. */
  heldSockets(request: HeldRequest): HeldAnswer;
  /**
   * Begins with that pass in threads of its own, for about so many sockets. When the promise has been kept, the same
   * request is answered at once. Absent where there is nothing to gain.
   */
  readAhead?(request: HeldRequest, sockets: number): Promise<void>;
  fdTable(pid: number): FdTable;
  /** Name of the protocol of a socket, such as TCP, TCPv6 or UNIX-STREAM (extended attribute system.sockprotoname). */
  socketProtocol(pid: number, fd: number): string;
  cgroupPids(id: bigint): number[];
  /** Kernel parameters of a network namespace by name (net.ipv4.tcp_fin_timeout); one that is not there is left out. */
  parameters(entry: NetNsEntry, path: string, names: readonly string[]): Record<string, string>;
  /** What a container engine's files on this machine call a container. Only the names: those files hold secrets too. */
  containerNames(container: Pick<Container, 'engine' | 'id'>): ContainerNames;
  read(path: string): Uint8Array;
  /** The first `length` bytes of a file that may be large. */
  readHead(path: string, length: number): Uint8Array;
  link(path: string): string;
  /** Names in a directory. */
  list(path: string): string[];
  /** Gives back what the kernel holds for it. It can be asked on, which takes that again. */
  close?(): void;
}

const decoder = new TextDecoder();
export const readText = (machine: Machine, path: string): string => decoder.decode(machine.read(path));
