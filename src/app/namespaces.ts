import type { Machine, NetNsEntry, NetnsTables } from '../kernel/machine.ts';
import { dumpTable, readTextTable, type Table } from '../kernel/tables.ts';
import { SystemError } from '../model/errors.ts';
import type { Gap, NetNs } from '../model/snapshot.ts';
import { type Listener, TCP_STATE, type TcpSocket, type TcpState } from '../model/socket.ts';
import { stateMask } from '../parse/inet-diag.ts';
import { parseSockstat, type Sockstat } from '../parse/sockstat.ts';
import { netlinkInterrupted, netlinkUnavailable, netnsDenied, notUnderstood, type Privileges } from './gaps.ts';

const LISTEN = stateMask('LISTEN');
const CLOSE_WAIT = stateMask('CLOSE_WAIT');
const ALL = Object.values(TCP_STATE).reduce((mask, number) => mask | (1 << number), 0);
// TIME_WAIT has no owner and SYN_RECV no socket yet: nobody holds them.
const OTHERS = ALL & ~stateMask('LISTEN', 'CLOSE_WAIT', 'TIME_WAIT', 'NEW_SYN_RECV', 'SYN_RECV');

type Namespace = NetNs & {
  entry: NetNsEntry;
  tables?: NetnsTables;
  /** Sockets in other states than LISTEN and CLOSE_WAIT; absent when that is not known. */
  others?: number;
};

/**
 * Reads the TCP tables of all namespaces. The dear part is the walk over the kernel's table of connections, which is
 * one for all namespaces and is walked once for each that is asked (5 ms with 262,144 buckets, even if none of its
 * sockets is in there). So a namespace is asked for connections only when its counters say that it has any.
 */
export class NamespaceReader {
  readonly gaps: Gap[] = [];
  readonly namespaces: Namespace[] = [];
  readonly sockets: TcpSocket[] = [];
  readonly listeners: Listener[] = [];
  readonly #machine: Machine;
  readonly #privileges: Privileges;
  #alloc: number | undefined;

  constructor(machine: Machine, privileges: Privileges) {
    this.#machine = machine;
    this.#privileges = privileges;
  }

  /** Reads the listeners and the CLOSE_WAIT sockets of one namespace. */
  readStuck(entry: NetNsEntry): void {
    const namespace: Namespace = { id: entry.id, entry, ...(entry.name !== undefined && { name: entry.name }) };
    this.namespaces.push(namespace);
    let tables: NetnsTables;
    try {
      tables = this.#machine.openNetns(entry);
    } catch (error) {
      this.#readText(namespace, error);
      return;
    }
    try {
      this.#dumpStuck(namespace, tables);
      namespace.tables = tables;
    } catch (error) {
      tables.close();
      this.#readText(namespace, error);
    }
  }

  #dumpStuck(namespace: Namespace, tables: NetnsTables): void {
    const { v4, v6 } = tables.sockstat();
    const stat4 = parseSockstat(v4);
    this.#alloc ??= stat4.alloc;
    const inuse = inUse(stat4, v6 === '' ? { inuse: 0 } : parseSockstat(v6));
    if (inuse !== undefined) namespace.sockets = inuse;
    if (inuse === 0) {
      namespace.others = 0;
      return;
    }
    const listening = this.#dump(namespace, tables, LISTEN, false);
    this.listeners.push(...listening.listeners);
    if (inuse !== undefined && inuse <= listening.listeners.length) {
      namespace.others = 0;
      return;
    }
    const { sockets } = this.#dump(namespace, tables, CLOSE_WAIT, true);
    for (const socket of sockets) this.sockets.push(socket);
    if (inuse !== undefined) namespace.others = Math.max(0, inuse - listening.listeners.length - sockets.length);
  }

  #dump(namespace: Namespace, tables: NetnsTables, states: number, tcpInfo: boolean): Table {
    const table = dumpTable(tables, namespace.id, { states, tcpInfo });
    if (table.interrupted) this.gaps.push(netlinkInterrupted(nameOf(namespace)));
    if (table.errors.length > 0) this.gaps.push(notUnderstood(table.errors.map(({ message }) => message)));
    return table;
  }

  #readText(namespace: Namespace, reason: unknown): void {
    if (!(reason instanceof SystemError)) throw reason;
    const { entry } = namespace;
    const entering = reason.message.startsWith('setns') || reason.message.startsWith('open');
    let table: Table | undefined;
    try {
      table = readTextTable(this.#machine, entry);
      const { sockets, listeners, errors } = table;
      if (errors.length > 0) this.gaps.push(notUnderstood(errors.map(({ message }) => message)));
      for (const socket of sockets) this.sockets.push(socket);
      this.listeners.push(...listeners);
      const counted = sockets.filter(({ state }) => state !== 'TIME_WAIT').length;
      namespace.sockets = counted + listeners.length;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
    const read = table !== undefined;
    this.gaps.push(
      entering
        ? netnsDenied(nameOf(namespace), reason.code, read, this.#privileges)
        : netlinkUnavailable(reason.message, read),
    );
  }

  /** Reads the sockets in all other states that somebody can hold, of the namespaces that have any. */
  readOthers(): TcpSocket[] {
    const found: TcpSocket[] = [];
    for (const namespace of this.namespaces) {
      if (!namespace.tables || namespace.others === 0) continue;
      try {
        for (const socket of this.#dump(namespace, namespace.tables, OTHERS, false).sockets) found.push(socket);
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        this.gaps.push(netlinkUnavailable(error.message, false));
      }
    }
    return found;
  }

  /** Inodes of all sockets that are in a table at this moment. */
  readInodes(): Set<number> {
    const inodes = new Set<number>();
    for (const namespace of this.namespaces) {
      if (!namespace.tables) continue;
      const { sockets, listeners } = this.#dump(namespace, namespace.tables, ALL, false);
      for (const { inode } of [...sockets, ...listeners]) if (inode !== undefined) inodes.add(inode);
    }
    return inodes;
  }

  /** TCP sockets of the whole machine that are in no table; absent when some table was not counted. */
  unlisted(): number | undefined {
    if (this.#alloc === undefined) return undefined;
    let listed = 0;
    for (const { tables, sockets } of this.namespaces) {
      if (!tables || sockets === undefined) return undefined;
      listed += sockets;
    }
    return Math.max(0, this.#alloc - listed);
  }

  get readable(): boolean {
    return this.namespaces.some(({ sockets, tables }) => sockets !== undefined || tables !== undefined);
  }

  close(): void {
    for (const { tables } of this.namespaces) tables?.close();
  }
}

const nameOf = ({ id, name }: NetNs): string => (name === undefined ? String(id) : `${name} (${id})`);

const inUse = (v4: Sockstat, v6: Sockstat): number | undefined =>
  v4.inuse === undefined || v6.inuse === undefined ? undefined : v4.inuse + v6.inuse;

export type StateCounts = Partial<Record<TcpState, number>>;

export function countStates(sockets: TcpSocket[], listeners: number): StateCounts {
  const byState: StateCounts = { LISTEN: listeners };
  for (const { state } of sockets) byState[state] = (byState[state] ?? 0) + 1;
  return byState;
}

/** Adds sockets in states that were all looked for, so that none found is 0, and not unknown. */
export function addStates(byState: StateCounts, sockets: TcpSocket[]): void {
  byState.ESTABLISHED ??= 0;
  for (const { state } of sockets) byState[state] = (byState[state] ?? 0) + 1;
}
