import { readFileSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { SystemError } from '../model/errors.ts';
import type { TcpSocket } from '../model/socket.ts';
import { TCP_STATE } from '../model/socket.ts';
import { StructReader } from '../parse/bytes.ts';
import { parseBootTime, parseLimits, parseStat } from '../parse/proc-pid.ts';
import { noTcpInfo, readTcpInfoTimes } from '../parse/tcp-info.ts';
import * as libc from './libc.ts';
import { USER_HZ } from './process-facts.ts';
import { readKernelText } from './read-text.ts';
import { destroySocket } from './sock-diag.ts';

/** The times are in ticks and whole seconds, of which the second moves when the clock is set. */
const START_SLACK_SECONDS = 1.5;

/** Times of one socket, read on a copy of its descriptor. */
export type FreshSocket = Pick<TcpSocket, 'lastAckReceivedMs' | 'lastDataReceivedMs' | 'lastDataSentMs'> & {
  isCloseWait: boolean;
};

/**
 * One process, held by a descriptor that never stands for another one. Before anything is done to it, it is asked again
 * whether it is there, began when it began, and runs the program it ran.
 */
export class Target {
  readonly pid: number;
  readonly #pidfd: number;
  readonly #startTicks: number;
  readonly #program: string;

  /** `startedAt` (seconds since 1970) is what was seen of the process; one that began at another time is another one. */
  constructor(pid: number, startedAt: number) {
    this.pid = pid;
    this.#pidfd = libc.pidfdOpen(pid);
    try {
      this.#startTicks = startTicksOf(pid);
      this.#program = programOf(pid);
      const begun = parseBootTime(readFileSync('/proc/stat', 'latin1')) + this.#startTicks / USER_HZ;
      if (Math.abs(begun - startedAt) > START_SLACK_SECONDS) throw changed(pid);
      this.require();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Throws when it is gone, or no longer what it was. While it is there, its pid is no other's. */
  require(): void {
    libc.pidfdSendSignal(this.#pidfd, 0);
    if (startTicksOf(this.pid) !== this.#startTicks || programOf(this.pid) !== this.#program) throw changed(this.pid);
    libc.pidfdSendSignal(this.#pidfd, 0);
  }

  signal(name: 'SIGCONT' | 'SIGTERM' | 'SIGKILL' | 'SIGUSR1' | 'SIGQUIT'): void {
    this.require();
    libc.pidfdSendSignal(this.#pidfd, constants.signals[name]);
  }

  /** Sets the soft limit of descriptors; the hard one only where it would be below. */
  raiseFdLimit(to: number): void {
    this.require();
    const { soft = 0, hard = 0 } = parseLimits(readKernelText(`/proc/${this.pid}/limits`), `/proc/${this.pid}/limits`);
    if (soft >= to) throw new SystemError('EEXIST', `the limit of pid ${this.pid} is ${soft} already`);
    const most = hard === Number.POSITIVE_INFINITY ? RLIM_INFINITY : BigInt(Math.max(hard, to));
    libc.setFdLimit(this.pid, { soft: BigInt(to), hard: most });
    this.require(); // prlimit(2) takes a pid: it was this process's before and is now, and so it was in between
  }

  /** Whether it has ended; one that its parent has not waited for yet has. */
  hasEnded(): boolean {
    try {
      libc.pidfdSendSignal(this.#pidfd, 0);
      return /^(zombie|dead)$/.test(parseStat(readFileSync(`/proc/${this.pid}/stat`, 'latin1'), 'stat').state);
    } catch {
      return true;
    }
  }

  /**
   * Runs `act` on a copy of a descriptor, if that is still the socket that it was. The copy is closed again at once: as long
   * as it is there, the program's own close() ends no connection.
   */
  withSocket<T>(fd: number, inode: number, act: (socket: OpenSocket) => T): T {
    this.require();
    const copy = libc.pidfdGetfd(this.#pidfd, fd);
    try {
      const status = libc.fileStatusOf(`/proc/self/fd/${copy}`);
      if (status.inode !== inode || status.device !== sockfs())
        throw new SystemError('ESTALE', `descriptor ${fd} of pid ${this.pid}`);
      return act(new OpenSocket(copy));
    } finally {
      libc.close(copy);
    }
  }

  close(): void {
    libc.close(this.#pidfd);
  }
}

/** A socket by a descriptor of ours. */
export class OpenSocket {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** How it is at this moment. */
  look(): FreshSocket {
    const bytes = libc.tcpInfo(this.#fd);
    const times = noTcpInfo();
    readTcpInfoTimes(new StructReader('tcp_info', bytes), times);
    const { lastDataSentMs, lastDataReceivedMs, lastAckReceivedMs } = times;
    return { isCloseWait: bytes[0] === TCP_STATE.CLOSE_WAIT, lastDataSentMs, lastDataReceivedMs, lastAckReceivedMs };
  }

  /** Sends what is written, then the FIN, as the program's close() would. */
  shutdown(): void {
    libc.shutdownSending(this.#fd);
  }

  /** Has the kernel ask a silent peer each second, and end the connection when two questions stay without an answer. */
  probe(): void {
    libc.probePeer(this.#fd, 1, 2);
  }

  /** Ends it with a reset, over a netlink socket of its network namespace. */
  destroy(netlink: number): void {
    const names = libc.socketNames(this.#fd);
    const id = { ...names, boundInterface: libc.boundInterface(this.#fd), cookie: libc.socketCookie(this.#fd) };
    destroySocket(netlink, id);
  }
}

let device: number | undefined;
const sockfs = (): number => {
  device ??= libc.socketDevice();
  return device;
};

const RLIM_INFINITY = 2n ** 64n - 1n; // include/uapi/asm-generic/resource.h: ~0UL

const changed = (pid: number): SystemError => new SystemError('ESTALE', `pid ${pid} is another process now`);

const startTicksOf = (pid: number): number =>
  parseStat(readKernelText(`/proc/${pid}/stat`), `/proc/${pid}/stat`).startTicks;

/** Its executable; a package manager that replaces the file changes no process. */
function programOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException;
    throw new SystemError(code === 'ENOENT' ? 'ESRCH' : code, `readlink /proc/${pid}/exe`);
  }
}
