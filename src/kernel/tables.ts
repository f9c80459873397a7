import { getSystemErrorName } from 'node:util';
import { isGone, ParseError, SystemError } from '../model/errors.ts';
import type { Listener, TcpSocket } from '../model/socket.ts';
import { StructReader } from '../parse/bytes.ts';
import { DiagDecoder, type DiagRequest } from '../parse/inet-diag.ts';
import { type Datagram, walkDatagram } from '../parse/netlink.ts';
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
    const decode = (_type: number, from: number, to: number): void => {
      try {
        const entry = decoder.decode(current, from, to);
        if ('state' in entry) table.sockets.push(entry);
        else table.listeners.push(entry);
      } catch (error) {
        table.errors.push(parseErrorOf(error));
      }
    };
    let walked: Datagram;
    try {
      walked = walkDatagram(current, length, decode);
    } catch (error) {
      // Where one length lies, nothing behind it can be found, nor the end of the dump.
      table.errors.push(parseErrorOf(error));
      return false;
    }
    const { end, interrupted } = walked;
    table.interrupted ||= interrupted;
    if (end.kind === 'error') throw new SystemError(getSystemErrorName(-end.errno), 'NETLINK_SOCK_DIAG dump');
    return end.kind === 'more';
  });
  return table;
}

function parseErrorOf(error: unknown): ParseError {
  if (error instanceof ParseError) return error;
  throw error;
}

/**
 * The same from the text files of a process in that namespace: what is left where netlink is not to be had. They
 * know no age, no cookie and no cgroup, and each read walks over every socket there is.
 */
export function readTextTable(machine: Machine, entry: NetNsEntry): Table {
  // /proc/self/net is our own table, so it must not stand for a namespace in which no process is seen.
  const whose: (string | number)[] = entry.paths.includes(OWN_NETNS) ? ['self'] : entry.pids;
  let gone: SystemError | undefined;
  for (const pid of whose) {
    try {
      return readTextOf(machine, pid, entry.id);
    } catch (error) {
      if (!(error instanceof SystemError) || !isGone(error)) throw error;
      gone = error;
    }
  }
  throw gone ?? new SystemError('ENOENT', 'no process is seen in this network namespace');
}

function readTextOf(machine: Machine, pid: string | number, netns: number): Table {
  const table: Table = { sockets: [], listeners: [], errors: [], interrupted: false };
  addFile(machine, table, `/proc/${pid}/net/tcp`, netns, 4);
  try {
    addFile(machine, table, `/proc/${pid}/net/tcp6`, netns, 6);
  } catch (error) {
    if (!(error instanceof SystemError) || !isGone(error)) throw error; // no IPv6 here
  }
  return table;
}

function addFile(machine: Machine, table: Table, path: string, netns: number, family: 4 | 6): void {
  const { rows, errors } = parseProcNetTcp(readText(machine, path), path);
  for (const error of errors) table.errors.push(error);
  for (const row of rows) addRow(table, row, netns, family);
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
