import { getSystemErrorName } from 'node:util';
import { ParseError, SystemError } from '../model/errors.ts';
import type { Listener, TcpSocket } from '../model/socket.ts';
import { StructReader } from '../parse/bytes.ts';
import { DiagDecoder, type DiagRequest } from '../parse/inet-diag.ts';
import { walkDatagram } from '../parse/netlink.ts';
import { type ProcNetTcpRow, parseProcNetTcp } from '../parse/proc-net.ts';
import { type Machine, type NetNsEntry, type NetnsTables, OWN_NETNS, readText } from './machine.ts';

/** Sockets of one namespace, and what was wrong with the messages that could not be read. */
export type Table = { sockets: TcpSocket[]; listeners: Listener[]; errors: ParseError[]; interrupted: boolean };

/** A dump during which the table changed is done again; after so many tries what we have is told with a gap. */
const TRIES = 3;

/** Dumps sockets over netlink. Kernels that know no dump of both families at once are asked for one after the other. */
export function dumpTable(tables: NetnsTables, netns: number, request: DiagRequest): Table {
  for (let attempt = 1; ; attempt++) {
    const table = dumpBothFamilies(tables, netns, request);
    if (!table.interrupted || attempt === TRIES) return table;
  }
}

function dumpBothFamilies(tables: NetnsTables, netns: number, request: DiagRequest): Table {
  try {
    return dumpOnce(tables, netns, request);
  } catch (error) {
    if (!(error instanceof SystemError) || error.code === 'EPERM') throw error;
  }
  const v4 = dumpOnce(tables, netns, { ...request, family: 4 });
  const v6 = dumpOnce(tables, netns, { ...request, family: 6 });
  return {
    sockets: v4.sockets.concat(v6.sockets),
    listeners: v4.listeners.concat(v6.listeners),
    errors: v4.errors.concat(v6.errors),
    interrupted: v4.interrupted || v6.interrupted,
  };
}

function dumpOnce(tables: NetnsTables, netns: number, request: DiagRequest): Table {
  const table: Table = { sockets: [], listeners: [], errors: [], interrupted: false };
  const decoder = new DiagDecoder(netns);
  let reader: StructReader | undefined;
  tables.dump(request, (bytes, length) => {
    reader = reader?.bytes === bytes ? reader : new StructReader('inet_diag_msg', bytes);
    const current = reader;
    const { end, interrupted } = walkDatagram(current, length, (_type, from, to) => {
      try {
        const entry = decoder.decode(current, from, to);
        if ('state' in entry) table.sockets.push(entry);
        else table.listeners.push(entry);
      } catch (error) {
        if (!(error instanceof ParseError)) throw error;
        table.errors.push(error);
      }
    });
    table.interrupted ||= interrupted;
    if (end.kind === 'error') throw new SystemError(getSystemErrorName(-end.errno), 'NETLINK_SOCK_DIAG dump');
    return end.kind === 'more';
  });
  return table;
}

/**
 * The same from the text files of a process in that namespace: what is left where netlink is not to be had. They
 * know no age, no cookie and no cgroup, and each read walks over every socket there is.
 */
export function readTextTable(machine: Machine, entry: NetNsEntry): Table {
  const table: Table = { sockets: [], listeners: [], errors: [], interrupted: false };
  for (const [file, family] of [
    ['tcp', 4],
    ['tcp6', 6],
  ] as const) {
    const path = `/proc/${whoseTable(entry)}/net/${file}`;
    let text: string;
    try {
      text = readText(machine, path);
    } catch (error) {
      if (family === 6 && error instanceof SystemError && error.code === 'ENOENT') continue; // no IPv6 here
      throw error;
    }
    const { rows, errors } = parseProcNetTcp(text, path);
    table.errors.push(...errors);
    for (const row of rows) addRow(table, row, entry.id, family);
  }
  return table;
}

/** /proc/self/net is our own table, so it must not stand for a namespace in which no process is seen. */
function whoseTable({ path, pid }: NetNsEntry): string | number {
  if (path === OWN_NETNS) return 'self';
  if (pid === undefined) throw new SystemError('ENOENT', 'no process is seen in this network namespace');
  return pid;
}

function addRow(table: Table, row: ProcNetTcpRow, netns: number, family: 4 | 6): void {
  const { local, peer, state, recvQueue, sendQueue, timer, uid } = row;
  const inode = row.inode === 0 ? {} : { inode: row.inode };
  if (state === 'LISTEN') {
    // The file shows the accept queue's length as rx_queue, but not its limit.
    table.listeners.push({ netns, family, local, queue: recvQueue, uid, ...inode });
  } else {
    table.sockets.push({ netns, family, state, local, peer, recvQueue, sendQueue, timer, uid, ...inode });
  }
}
