import { attempt } from '../kernel/attempt.ts';
import { type Machine, type NetNsEntry, type NetnsTables, OWN_NETNS, readText } from '../kernel/machine.ts';
import { dumpTable, readTextTable, type Table } from '../kernel/tables.ts';
import { isGone, SystemError } from '../model/errors.ts';
import type { InodeMap } from '../model/inode-map.ts';
import { endOfEqual } from '../model/runs.ts';
import type { Gap, NetNs, ReadingSource } from '../model/snapshot.ts';
import { endsOf, type Listener, TCP_STATE, type TcpSocket, type TcpState, tcpStateName } from '../model/socket.ts';
import { SocketTable } from '../model/socket-table.ts';
import { stateMask } from '../parse/inet-diag.ts';
import { parseSockstat, type Sockstat } from '../parse/sockstat.ts';
import { netlinkInterrupted, netlinkUnavailable, netnsDenied, notUnderstood, type Privileges } from './gaps.ts';

const LISTEN = stateMask('LISTEN');
const CLOSE_WAIT = stateMask('CLOSE_WAIT');
const ALL = Object.values(TCP_STATE).reduce((mask, number) => mask | (1 << number), 0);
// TIME_WAIT has no owner and SYN_RECV no socket yet: nobody holds them.
const OTHERS = ALL & ~stateMask('LISTEN', 'CLOSE_WAIT', 'TIME_WAIT', 'NEW_SYN_RECV', 'SYN_RECV');

export type ReadNamespace = Omit<NetNs, 'read' | 'own'> & {
  entry: NetNsEntry;
  /** Where its sockets were read; absent when they were not. */
  source?: 'bpf' | 'netlink' | 'text';
  /** Sockets in other states than LISTEN and CLOSE_WAIT; absent when that is not known. */
  others?: number;
};

/** Sockets of a namespace that descriptors were seen to hold. */
export type HeldCount = { netns: number; sockets: number };

/**
 * Reads the TCP tables of all namespaces. The dear part is the walk over the kernel's table of connections, which is
 * one for all namespaces and is walked once for each that is asked (5 ms with 262,144 buckets, even if none of its
 * sockets is in there). So a namespace is asked for connections only when its counters say that it has any.
 */
export class NamespaceReader {
  readonly gaps: Gap[] = [];
  readonly namespaces: ReadNamespace[] = [];
  readonly sockets = new SocketTable();
  readonly listeners: Listener[] = [];
  /** The kind of program when a BPF iterator was read. */
  bpf: 'bpf' | 'bpf-generic' | undefined;
  bpfRefused: string | undefined;
  readonly #machine: Machine;
  readonly #privileges: Privileges;
  #alloc: number | undefined;

  constructor(machine: Machine, privileges: Privileges) {
    this.#machine = machine;
    this.#privileges = privileges;
  }

  /**
   * Reads the counters of one namespace, whose sockets are found by a pass over descriptors. Nobody needs to go there:
   * every process shows those of its own namespace to everybody.
   */
  count(entry: NetNsEntry): void {
    const namespace: ReadNamespace = {
      id: entry.id,
      entry,
      source: 'bpf',
      ...(entry.name !== undefined && { name: entry.name }),
    };
    this.namespaces.push(namespace);
    const sockstat = this.#sockstatOf(entry);
    const v6 = sockstat && (sockstat.v6 === '' ? { inuse: 0 } : parseSockstat(sockstat.v6));
    const inuse = sockstat && v6 && inUse(parseSockstat(sockstat.v4), v6);
    if (inuse !== undefined) namespace.sockets = inuse;
  }

  #sockstatOf({ paths, pids }: NetNsEntry): { v4: string; v6: string } | undefined {
    for (const who of paths.includes(OWN_NETNS) ? ['self'] : pids) {
      const v4 = attempt(() => readText(this.#machine, `/proc/${who}/net/sockstat`));
      if (v4 === undefined) continue;
      return { v4, v6: attempt(() => readText(this.#machine, `/proc/${who}/net/sockstat6`)) ?? '' };
    }
    return undefined;
  }

  /** Sockets of all namespaces; undefined when not all were counted. */
  get counted(): number | undefined {
    return this.namespaces.reduce<number | undefined>(
      (sum, { sockets }) => (sum === undefined || sockets === undefined ? undefined : sum + sockets),
      0,
    );
  }

  /**
   * Reads the CLOSE_WAIT sockets that no descriptor holds, and with `others` those in other states too, of the namespaces
   * that count more sockets than were seen, or that a connection waits in to be accepted. Gives what it has added, but
   * for listeners: those of processes that were not looked at.
   */
  readUnheld(
    counts: readonly HeldCount[],
    seen: Pick<InodeMap, 'has'>,
    others: TcpSocket[] | undefined,
    agoMs = 0,
  ): TcpSocket[] {
    const unheld: TcpSocket[] = [];
    const isSeen = ({ inode }: TcpSocket | Listener): boolean => inode !== undefined && seen.has(inode);
    // What has come into its state since the pass may well have a descriptor that was not seen.
    const hasJustCome = ({ inode, state, lastAckReceivedMs = agoMs }: TcpSocket): boolean =>
      inode !== undefined && state === 'CLOSE_WAIT' && lastAckReceivedMs < agoMs;
    const waiting = new Set(this.listeners.flatMap(({ netns, queue }) => (queue > 0 ? netns : [])));
    const held = new Map(counts.map(({ netns, sockets }) => [netns, sockets]));
    const known = new Set(this.namespaces.map(({ id }) => id));
    for (const { netns: id, sockets } of counts) {
      // Only sockets keep it alive: no process is in it any more.
      if (sockets > 0 && !known.has(id))
        this.namespaces.push({ id, entry: { id, paths: [], pids: [] }, source: 'bpf' });
    }
    for (const namespace of this.namespaces) {
      const { id, sockets = 0, entry } = namespace;
      const more = others !== undefined && sockets > (held.get(id) ?? 0);
      if (!more && !waiting.has(id)) continue;
      if (entry.paths.length === 0) {
        this.gaps.push(netnsDenied(nameOf(namespace), 'no way in is known', 'held', this.#privileges));
        continue;
      }
      const table = this.#askBeside(namespace, others ? OTHERS | CLOSE_WAIT | LISTEN : CLOSE_WAIT, true);
      for (const listener of table?.listeners ?? []) if (!isSeen(listener)) this.listeners.push(listener);
      for (const socket of table?.sockets ?? []) {
        if (socket.timer === 'timewait' || isSeen(socket) || hasJustCome(socket)) continue;
        (socket.state === 'CLOSE_WAIT' ? this.sockets : others)?.push(socket);
        unheld.push(socket);
      }
    }
    return unheld;
  }

  /** Of what descriptors hold the rest is known all the same. */
  #askBeside(namespace: ReadNamespace, states: number, tcpInfo: boolean): Table | undefined {
    return this.#ask(namespace, states, tcpInfo, (error) =>
      isEntering(error)
        ? netnsDenied(nameOf(namespace), error.code, 'held', this.#privileges)
        : netlinkUnavailable(error.message, 'held'),
    );
  }

  /** Undefined when it was refused, which is a gap, or the namespace has ended. */
  #ask(
    namespace: ReadNamespace,
    states: number,
    tcpInfo: boolean,
    gapOf: (error: SystemError) => Gap,
  ): Table | undefined {
    try {
      return this.#withTables(namespace, (tables) => this.#dump(namespace, tables, states, tcpInfo));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      if (!isGone(error)) this.gaps.push(gapOf(error));
      return undefined;
    }
  }

  /** Reads the listeners and the CLOSE_WAIT sockets of one namespace. One that has ended meanwhile is left out. */
  readStuck(entry: NetNsEntry): void {
    const namespace: ReadNamespace = { id: entry.id, entry, ...(entry.name !== undefined && { name: entry.name }) };
    try {
      this.#withTables(namespace, (tables) => this.#dumpStuck(namespace, tables));
      this.namespaces.push(namespace);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      if (isGone(error) && entry.paths.length > 0 && isEntering(error)) return;
      this.namespaces.push(this.#readText(entry, error));
    }
  }

  /** Enters by the first path that is still there: the process whose path it is may have ended. */
  #withTables<T>(namespace: ReadNamespace, use: (tables: NetnsTables) => T): T {
    const tables = this.#open(namespace.entry);
    try {
      return use(tables);
    } finally {
      tables.close();
    }
  }

  #open(entry: NetNsEntry): NetnsTables {
    let gone: SystemError | undefined;
    for (const path of entry.paths) {
      try {
        return this.#machine.openNetns(entry, path);
      } catch (error) {
        if (!(error instanceof SystemError) || !isGone(error)) throw error;
        gone = error;
      }
    }
    throw gone ?? new SystemError('ENOENT', `open network namespace ${entry.id}`);
  }

  #dumpStuck(namespace: ReadNamespace, tables: NetnsTables): void {
    const { v4, v6 } = tables.sockstat();
    const stat4 = parseSockstat(v4);
    const inuse = inUse(stat4, v6 === '' ? { inuse: 0 } : parseSockstat(v6));
    const listening = inuse === 0 ? [] : this.#dump(namespace, tables, LISTEN, false).listeners;
    const connected =
      inuse !== undefined && inuse <= listening.length ? [] : this.#dump(namespace, tables, CLOSE_WAIT, true).sockets;
    // Only now, for a dump may fail, and then the text files are read instead.
    this.#alloc ??= stat4.alloc;
    for (const listener of listening) this.listeners.push(listener);
    for (const socket of connected) this.sockets.push(socket);
    namespace.source = 'netlink';
    if (inuse === undefined) return;
    namespace.sockets = inuse;
    namespace.others = Math.max(0, inuse - listening.length - connected.length);
  }

  #dump(namespace: ReadNamespace, tables: NetnsTables, states: number, tcpInfo: boolean): Table {
    const table = dumpTable(tables, namespace.id, { states, tcpInfo });
    if (table.interrupted) this.gaps.push(netlinkInterrupted(nameOf(namespace)));
    if (table.errors.length > 0) this.gaps.push(notUnderstood(table.errors.map(({ message }) => message)));
    return table;
  }

  #readText(entry: NetNsEntry, reason: SystemError): ReadNamespace {
    const namespace: ReadNamespace = { id: entry.id, entry, ...(entry.name !== undefined && { name: entry.name }) };
    try {
      const { sockets, listeners, errors } = readTextTable(this.#machine, entry);
      if (errors.length > 0) this.gaps.push(notUnderstood(errors.map(({ message }) => message)));
      for (const socket of sockets) this.sockets.push(socket);
      for (const listener of listeners) this.listeners.push(listener);
      namespace.source = 'text';
      namespace.sockets = sockets.filter(({ state }) => state !== 'TIME_WAIT').length + listeners.length;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
    const read = namespace.source !== undefined;
    this.gaps.push(
      isEntering(reason)
        ? netnsDenied(nameOf(namespace), reason.code, read ? 'text' : 'nothing', this.#privileges)
        : netlinkUnavailable(reason.message, read ? 'text' : 'nothing'),
    );
    return namespace;
  }

  /** Sockets in other states than LISTEN and CLOSE_WAIT; absent when they were not counted. */
  get others(): number | undefined {
    return this.namespaces.reduce<number | undefined>(
      (sum, { source, others }) =>
        sum === undefined || (source === 'netlink' && others === undefined) ? undefined : sum + (others ?? 0),
      0,
    );
  }

  /** Reads the sockets in all other states that somebody can hold, of the namespaces that have any. */
  readOthers(): TcpSocket[] {
    const found: TcpSocket[] = [];
    for (const namespace of this.namespaces) {
      if (namespace.others === 0) continue;
      for (const socket of this.#again(namespace, OTHERS, true)?.sockets ?? []) {
        // What is left of a socket in FIN_WAIT2 is listed with that state, but the counters and nobody hold it.
        if (socket.timer !== 'timewait') found.push(socket);
      }
    }
    return found;
  }

  /** Inodes of all sockets that are in a table at this moment; undefined when a table cannot be read any more. */
  readInodes(): Set<number> | undefined {
    const inodes = new Set<number>();
    for (const namespace of this.namespaces) {
      if (namespace.source !== 'netlink') continue;
      const table = this.#again(namespace, ALL, false);
      if (!table) return undefined;
      for (const { inode } of [...table.sockets, ...table.listeners]) if (inode !== undefined) inodes.add(inode);
    }
    return inodes;
  }

  /**
   * Reads the CLOSE_WAIT sockets again and drops those that have left the state: they were on their way out. `isThere`
   * answers for sockets of which it knows.
   */
  dropGone(isThere: (socket: TcpSocket) => boolean | undefined = () => undefined): void {
    const there = new Set<string | number>();
    const sockets = this.sockets.list();
    const asked = new Set(sockets.flatMap((socket) => (isThere(socket) === undefined ? socket.netns : [])));
    const unsure = new Set<number>();
    for (const namespace of this.namespaces) {
      if (!asked.has(namespace.id)) continue;
      const sockets = this.#closeWaitAgain(namespace);
      if (!sockets) unsure.add(namespace.id);
      for (const socket of sockets ?? []) there.add(identityOf(socket));
    }
    this.sockets.retain((row) => {
      const socket = this.sockets.at(row);
      if (socket?.state !== 'CLOSE_WAIT') return true;
      return isThere(socket) ?? (unsure.has(socket.netns) || there.has(identityOf(socket)));
    });
  }

  #closeWaitAgain(namespace: ReadNamespace): TcpSocket[] | undefined {
    if (namespace.source === 'bpf') return this.#askBeside(namespace, CLOSE_WAIT, false)?.sockets;
    if (namespace.source === 'netlink') return this.#again(namespace, CLOSE_WAIT, false)?.sockets;
    try {
      return readTextTable(this.#machine, namespace.entry).sockets.filter(({ state }) => state === 'CLOSE_WAIT');
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return undefined;
    }
  }

  #again(namespace: ReadNamespace, states: number, tcpInfo: boolean): Table | undefined {
    if (namespace.source !== 'netlink') return undefined;
    return this.#ask(namespace, states, tcpInfo, ({ message }) => netlinkUnavailable(message, 'nothing'));
  }

  /** TCP sockets of the whole machine that are in no table; absent when some table was not counted. */
  unlisted(): number | undefined {
    if (this.#alloc === undefined) return undefined;
    let listed = 0;
    for (const { source, sockets } of this.namespaces) {
      if (source !== 'netlink' || sockets === undefined) return undefined;
      listed += sockets;
    }
    return Math.max(0, this.#alloc - listed);
  }

  /** Text files count as the source when they are the only one. */
  get source(): ReadingSource {
    if (this.bpf) return this.bpf;
    return this.namespaces.some(({ source }) => source === 'netlink') ? 'netlink' : 'procfs';
  }

  get asRoot(): boolean {
    return this.#privileges.root;
  }

  get readable(): boolean {
    return this.namespaces.some(({ source }) => source !== undefined);
  }
}

/** What tells a socket from others: its inode, or while it has none its ends. */
const identityOf = (socket: TcpSocket): string | number => socket.inode ?? endsOf(socket);

/** Whether it failed on the way into the namespace, and not in asking there. */
const isEntering = ({ call }: SystemError): boolean => /^(setns|open)\b/.test(call);

const nameOf = ({ id, name }: ReadNamespace): string => (name === undefined ? String(id) : `${name} (${id})`);

const inUse = (v4: Sockstat, v6: Sockstat): number | undefined =>
  v4.inuse === undefined || v6.inuse === undefined ? undefined : v4.inuse + v6.inuse;

export type StateCounts = Partial<Record<TcpState, number>>;

export function countStates({ state, length }: SocketTable, listeners: number): StateCounts {
  const counts = new Uint32Array(256);
  for (let from = 0, to = 0; from < length; from = to) {
    to = endOfEqual(state, from, length);
    counts[state[from] ?? 0] = (counts[state[from] ?? 0] ?? 0) + to - from;
  }
  const byState: StateCounts = { LISTEN: listeners };
  counts.forEach((count, number) => {
    const state = count > 0 ? tcpStateName(number) : undefined;
    if (state) byState[state] = count;
  });
  return byState;
}

/** Adds sockets in states that were all looked for, so that none found is 0, and not unknown. */
export function addStates(byState: StateCounts, sockets: TcpSocket[]): void {
  byState.ESTABLISHED ??= 0;
  for (const { state } of sockets) byState[state] = (byState[state] ?? 0) + 1;
}
