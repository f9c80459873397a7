import { type Standing, standingAt, standingOf } from '../diagnose/ages.ts';
import { ListenerIndex } from '../diagnose/listeners.ts';
import type { Walk } from '../kernel/holders.ts';
import { type FdTable, type HeldAnswer, type Machine, type NetNsEntry, NO_ANSWER } from '../kernel/machine.ts';
import { CompactSocketFds } from '../kernel/socket-fds.ts';
import type { SystemError } from '../model/errors.ts';
import { DEFAULT_LIMITS } from '../model/finding.ts';
import { InodeMap } from '../model/inode-map.ts';
import type { ClosedButHeld } from '../model/snapshot.ts';
import { TCP_STATE, type TcpSocket } from '../model/socket.ts';
import { UNKNOWN } from '../model/socket-table.ts';
import { HeldRecords, SIEVE_SIZE } from '../parse/held-socket.ts';
import { stateMask } from '../parse/inet-diag.ts';
import type { HeldCount, NamespaceReader } from './namespaces.ts';
import { type CaptureOptions, type Found, YOUNG_WORTH_A_WALK } from './search.ts';
import { MOST_OTHERS, statesToFind } from './states.ts';

/**
 * Finds sockets and their holders in one pass of the kernel over all descriptors, in all network namespaces. Sockets
 * that no descriptor holds (in an accept queue, or on their way between two processes) are then asked for over
 * netlink, only in namespaces that count more sockets than were seen.
 */
export class HeldReader {
  readonly #machine: Machine;
  readonly #reader: NamespaceReader;
  readonly #options: CaptureOptions;
  readonly #tables = new Map<number, { sockets: CompactSocketFds; table: FdTable }>();
  #inodes: InodeMap | undefined;
  readonly #counts = new Map<number, HeldCount>();
  #unheld: readonly TcpSocket[] = [];
  readonly #others: TcpSocket[] = [];
  readonly #closed: ClosedButHeld[] = [];
  /** Processes that hold a stuck socket, and those that hold a young one. */
  readonly #holders = new Set<number>();
  readonly #youngHolders = new Set<number>();
  #withOthers = false;
  #hasUnclear = false;
  #lastPid = -1;
  #lastSockets = new CompactSocketFds();

  constructor(machine: Machine, reader: NamespaceReader, options: CaptureOptions) {
    this.#machine = machine;
    this.#reader = reader;
    this.#options = options;
  }

  /** Fills the reader. Throws SystemError when the machine has no such pass. */
  read(namespaces: NetNsEntry[]): void {
    const { closedButHeld, pids } = this.#options;
    for (const entry of namespaces) this.#reader.count(entry);
    const counted = this.#reader.counted;
    this.#withOthers = pids !== undefined || (counted !== undefined && counted <= MOST_OTHERS);
    const states = statesToFind(this.#withOthers, closedButHeld);
    const records = recordsOf(this.#firstPass(states));
    this.#reader.bpf = records.facts.kind === 'typed' ? 'bpf' : 'bpf-generic';
    this.#sort(records, states);
    this.#unheld = this.#reader.readUnheld(
      [...this.#counts.values()],
      { has: (inode) => this.#isHeld(inode) },
      this.#withOthers ? this.#others : undefined,
      this.#machine.now() - (this.#options.begun ?? this.#machine.now()),
    );
  }

  #firstPass(states: number): HeldAnswer {
    try {
      return this.#pass(states);
    } catch (error) {
      this.#reader.namespaces.length = 0;
      throw error;
    }
  }

  #pass(states: number): HeldAnswer {
    const { pids = [] } = this.#options;
    const [pid, ...more] = pids;
    return this.#machine.heldSockets({ states, ...(pid !== undefined && more.length === 0 && { pid }) });
  }

  /**
   * A recording may hold sockets in further states than are asked for. They come process by process, and of a leak one stuck
   * socket after the other, each with one descriptor; so those are taken together, and the others after them.
   */
  #sort(records: HeldRecords, states: number): void {
    const wanted = this.#options.pids && new Set(this.#options.pids);
    const seen = new SeenDescriptors();
    const others: number[] = [];
    const sieve = new Uint8Array(SIEVE_SIZE);
    this.#reader.sockets.reserve(records.count);
    for (let record = 0, end = 0; record < records.count; record = end) {
      end = records.endOfLike(record);
      const pid = records.pid(record);
      const isWanted = (states & (1 << records.state(record))) !== 0 && (!wanted || wanted.has(pid));
      const isStuck = isWanted && records.state(record) === TCP_STATE.CLOSE_WAIT && records.isAlone(record);
      if (isStuck && seen.areNew(pid, records.fd(record))) {
        seen.add(pid, records.fd(end - 1));
        for (let from = record, to = 0; from < end; from = to + 1) {
          to = records.nextSeen(sieve, from, end);
          if (to > from) this.#takeStuck(records, from, to);
          if (to < end) others.push(to);
        }
        continue;
      }
      for (let it = record; it < end; it++) if (seen.add(pid, records.fd(it)) && isWanted) others.push(it);
    }
    this.#takeOthers(records, others);
  }

  /** Takes stuck sockets of one process that it alone holds. */
  #takeStuck(records: HeldRecords, from: number, to: number): void {
    const { sockets } = this.#reader;
    const pid = records.pid(from);
    const { row, atLeastMs } = records.addTo(sockets, from, to, pid);
    const end = row + to - from;
    this.#tableOf(pid).addFirsts(sockets.inode.subarray(row, end), sockets.fd.subarray(row, end));
    this.#countOf(records.netns(from)).sockets += to - from;
    if (atLeastMs >= this.#stuckAfterMs) this.#noteStanding(pid, 'stuck');
    else for (let it = row; it < end; it++) this.#noteStanding(pid, standingAt(sockets, it, this.#stuckAfterMs));
  }

  /** Takes sockets of which several descriptors may come, or that are not stuck. */
  #takeOthers(records: HeldRecords, numbers: readonly number[]): void {
    const { sockets } = this.#reader;
    const known = new Set<number>();
    for (const record of numbers) {
      const inode = records.inode(record);
      const row = sockets.rowOf(inode);
      const first = row < 0 && !known.has(inode);
      if (row >= 0) sockets.holder[row] = UNKNOWN;
      known.add(inode);
      this.#take(records, record, first);
    }
  }

  /** Takes one record; `first` of a socket. */
  #take(records: HeldRecords, record: number, first: boolean): void {
    const pid = records.pid(record);
    const fd = records.fd(record);
    const inode = records.inode(record);
    const state = records.state(record);
    const { sockets, listeners } = this.#reader;
    if (first) this.#tableOf(pid).addFirst(inode, fd);
    else this.#tableOf(pid).add(inode, fd);
    if (state === TCP_STATE.CLOSE) {
      if (records.wasConnected(record)) this.#closed.push({ pid, fd, inode, wasConnected: true });
      return;
    }
    if (first) this.#countOf(records.netns(record)).sockets++;
    if (state === TCP_STATE.CLOSE_WAIT) {
      if (first) records.addTo(sockets, record, record + 1, pid);
      this.#noteStanding(pid, standingOf(records.socket(record), this.#stuckAfterMs));
    } else if (first) {
      if (state === TCP_STATE.LISTEN) listeners.push(records.listener(record));
      else this.#others.push(records.socket(record));
    }
  }

  /** That a process holds a socket that stands so. */
  #noteStanding(pid: number, standing: Standing): void {
    if (standing === 'maybe') this.#hasUnclear = true;
    (standing === 'young' ? this.#youngHolders : this.#holders).add(pid);
  }

  get #stuckAfterMs(): number {
    return this.#options.stuckAfterMs ?? DEFAULT_LIMITS.stuckAfterMs;
  }

  /** Whether a descriptor was seen to hold the socket. */
  #isHeld(inode: number): boolean {
    if (!this.#inodes) {
      const inodes = new InodeMap(this.#reader.sockets.length);
      for (const { sockets } of this.#tables.values()) for (const it of sockets.inodes()) inodes.add(it, 0);
      this.#inodes = inodes;
    }
    return this.#inodes.has(inode);
  }

  #countOf(netns: number): HeldCount {
    const known = this.#counts.get(netns);
    if (known) return known;
    const count = { netns, sockets: 0 };
    this.#counts.set(netns, count);
    return count;
  }

  /** They come process by process. */
  #tableOf(pid: number): CompactSocketFds {
    if (pid === this.#lastPid) return this.#lastSockets;
    const known = this.#tables.get(pid)?.sockets;
    const sockets = known ?? new CompactSocketFds();
    if (!known) this.#tables.set(pid, { sockets, table: { sockets } });
    this.#lastPid = pid;
    this.#lastSockets = sockets;
    return sockets;
  }

  /** Whether the age of any CLOSE_WAIT socket cannot tell if it is stuck. */
  hasUnclear(): boolean {
    const isUnclear = (it: TcpSocket): boolean =>
      it.state === 'CLOSE_WAIT' && standingOf(it, this.#stuckAfterMs) === 'maybe';
    return this.#hasUnclear || this.#unheld.some(isUnclear);
  }

  /** Reads the CLOSE_WAIT sockets again and drops those that have left the state: they were on their way out. */
  dropGone(): void {
    const records = recordsOf(this.#pass(stateMask('CLOSE_WAIT')));
    const there = new InodeMap();
    for (let record = 0; record < records.count; record++) {
      if (records.state(record) === TCP_STATE.CLOSE_WAIT) there.add(records.inode(record), record);
    }
    this.#reader.dropGone(({ inode }) => (inode !== undefined && this.#isHeld(inode) ? there.has(inode) : undefined));
  }

  found(processCount: number): Found {
    const { sockets } = this.#reader;
    const young = this.#options.young || sockets.length >= YOUNG_WORTH_A_WALK;
    const holders = new Set([...this.#holders, ...(young ? this.#youngHolders : [])]);
    for (const pid of this.#holdersOfBacklogs()) holders.add(pid);
    const walk: Walk = {
      tables: new Map([...this.#tables].map(([pid, { table }]) => [pid, table])),
      denied: [],
      lookedAt: processCount,
      holders,
      missing: 0,
      skipped: 0,
    };
    const closed = this.#options.closedButHeld === 'never' ? {} : { found: this.#closed, atMost: this.#closed.length };
    const unowned = this.#unheld.filter(({ inode, state }) => inode !== undefined && state === 'CLOSE_WAIT').length;
    return { walk, ...(this.#withOthers && { others: this.#others }), unowned, closed };
  }

  /** Who should accept the connections that nobody has accepted. */
  #holdersOfBacklogs(): number[] {
    const { listeners } = this.#reader;
    const waiting = this.#unheld.filter(({ inode, state }) => inode === undefined && state === 'CLOSE_WAIT');
    if (waiting.length === 0) return [];
    const index = new ListenerIndex(listeners);
    const concerned = new Set(waiting.flatMap((socket) => index.of(socket)?.inode ?? []));
    return [...this.#tables].flatMap(([pid, { sockets: held }]) =>
      [...concerned].some((it) => held.has(it)) ? pid : [],
    );
  }
}

const recordsOf = ({ bytes, facts }: HeldAnswer): HeldRecords => new HeldRecords(bytes, facts);

/**
 * Descriptors come in order, process by process. Only where one comes again, it is a second sight of the same one: Linux
 * 6.1 shows some twice, and the table of a process whose first thread has ended is shown once for each other thread.
 */
class SeenDescriptors {
  #pid = -1;
  #fd = -1;
  readonly #highest = new Map<number, number>();

  /** Whether this one, and so every one above it, was not seen before. */
  areNew(pid: number, fd: number): boolean {
    if (pid !== this.#pid) {
      this.#highest.set(this.#pid, this.#fd);
      this.#pid = pid;
      this.#fd = this.#highest.get(pid) ?? -1;
    }
    return fd > this.#fd;
  }

  /** False when it was seen before. */
  add(pid: number, fd: number): boolean {
    if (!this.areNew(pid, fd)) return false;
    this.#fd = fd;
    return true;
  }
}

/** Why a machine has no such pass, in words; undefined when it was not asked for. */
export const refusalOf = ({ code, message }: SystemError): string | undefined =>
  code === NO_ANSWER ? undefined : message;
