import type { Process } from '../model/process.ts';
import { endOfRun } from '../model/runs.ts';
import { type Endpoint, type Listener, TCP_STATE, type TcpSocket } from '../model/socket.ts';
import type { SocketRows, SocketTable } from '../model/socket-table.ts';
import type { Holders } from './holders.ts';
import { isLoopback, type ListenerIndex, WILDCARDS } from './listeners.ts';
import { remembered } from './remembered.ts';

/** Ports have 16 bits. A number, because text for each of 100,000 sockets takes longer than all the rest of the search. */
const portsOf = (local: Endpoint, peer: Endpoint): number => local.port * 65_536 + peer.port;

const NO_ENDS: readonly TcpSocket[] = [];

/** Finds the process at the other end of a connection when that end is on this machine. */
export class OtherEnds {
  readonly #byPorts = new Map<number, TcpSocket[]>();
  /** 1 where one of them, or a listener, has that port, which is all that most sockets need to know. */
  readonly #ports = new Uint8Array(65_536);
  readonly #holders: Holders;
  readonly #listeners: ListenerIndex;

  constructor(sockets: SocketRows, holders: Holders, listeners: ListenerIndex) {
    this.#holders = holders;
    this.#listeners = listeners;
    const { table, rows } = sockets;
    for (let from = 0, to = 0; from < rows.length; from = to) {
      to = endOfRun(table.state, rows, from, rows.length);
      if (table.state[rows[from] ?? 0] === TCP_STATE.CLOSE_WAIT) continue;
      for (const row of rows.subarray(from, to)) this.#add(table.at(row));
    }
    for (const port of listeners.ports()) this.#ports[port] = 1;
  }

  #add(socket: TcpSocket | undefined): void {
    if (!socket) return;
    this.#ports[socket.local.port] = 1;
    remembered(this.#byPorts, portsOf(socket.local, socket.peer), () => []).push(socket);
  }

  /** The next place whose row has a peer's port that some other end has. */
  nextThatMayBe(peerPort: Uint32Array, rows: Uint32Array, from: number): number {
    const ports = this.#ports;
    let place = from;
    // Beyond all ports are the numbers that captures give to names.
    while (place < rows.length && ports[peerPort[rows[place] ?? 0] ?? 0] === 0) place++;
    return place;
  }

  processOf(table: SocketTable, row: number): Process | undefined {
    const socket = table.at(row);
    const inode = socket && (this.#endOf(socket)?.inode ?? this.#listenerAt(socket)?.inode);
    return inode === undefined ? undefined : this.#holders.of(inode)[0];
  }

  // In the same namespace, or in the only other one that has such a connection: two containers may have equal addresses.
  #endOf({ netns, local, peer }: TcpSocket): TcpSocket | undefined {
    const candidates = this.#byPorts.get(portsOf(peer, local)) ?? NO_ENDS;
    if (candidates.length === 0) return undefined;
    const ends = candidates.filter((end) => end.local.address === peer.address && end.peer.address === local.address);
    const here = ends.find((end) => end.netns === netns);
    if (here || isLoopback(peer.address)) return here;
    return ends.length === 1 ? ends[0] : undefined;
  }

  // The other end is gone, but who listens where it was is still there.
  #listenerAt({ netns, local, peer }: TcpSocket): Listener | undefined {
    if (!isLoopback(peer.address) && peer.address !== local.address) return undefined;
    return this.#listeners
      .at(peer.port)
      .find((it) => it.netns === netns && (it.local.address === peer.address || WILDCARDS.has(it.local.address)));
  }
}
