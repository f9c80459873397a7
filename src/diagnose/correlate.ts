import type { Case, Direction, PeerGroup } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Endpoint, Listener, TcpSocket } from '../model/socket.ts';
import { ageOf, standingOf } from './ages.ts';

const WILDCARDS = new Set(['0.0.0.0', '::']);

/**
 * The listener that a connection came in by: same namespace, family and local port, its address the same or any. An
 * IPv4 client of a dual-stack listener makes an IPv6 socket with a mapped address, so the families always agree.
 * With SO_REUSEPORT there may be several; the one whose accept queue is longest is the one that does not accept.
 */
export function matchListener(socket: TcpSocket, listeners: Listener[]): Listener | undefined {
  let best: Listener | undefined;
  for (const listener of listeners) {
    if (listener.local.port !== socket.local.port || listener.netns !== socket.netns) continue;
    if (listener.family !== socket.family) continue;
    const exact = listener.local.address === socket.local.address;
    if (!exact && !WILDCARDS.has(listener.local.address)) continue;
    if (best === undefined || preferred(listener, best)) best = listener;
  }
  return best;
}

function preferred(candidate: Listener, best: Listener): boolean {
  const exact = Number(!WILDCARDS.has(candidate.local.address)) - Number(!WILDCARDS.has(best.local.address));
  return exact !== 0 ? exact > 0 : candidate.queue > best.queue;
}

/** Listeners by port, so that 100,000 sockets do not each look at all of them. */
export class ListenerIndex {
  readonly #byPort = new Map<number, Listener[]>();

  constructor(listeners: Listener[]) {
    for (const listener of listeners) push(this.#byPort, listener.local.port, listener);
  }

  of(socket: TcpSocket): Listener | undefined {
    const candidates = this.#byPort.get(socket.local.port);
    return candidates && matchListener(socket, candidates);
  }
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values) values.push(value);
  else map.set(key, [value]);
}

/** Sorts the CLOSE_WAIT sockets of a snapshot into cases: one for each holder, listener or owner. */
export function correlate(snapshot: Snapshot, stuckAfterMs: number): Case[] {
  const index = new ListenerIndex(snapshot.listeners);
  const holders = holdersOf(snapshot);
  const closeWait = snapshot.sockets.filter(({ state }) => state === 'CLOSE_WAIT');
  const held = new Map<Process, TcpSocket[]>();
  const backlog = new Map<Listener, TcpSocket[]>();
  const unowned = new Map<string, TcpSocket[]>();
  for (const socket of closeWait) {
    const listener = index.of(socket);
    const primary = primaryHolder(holders.get(socket.inode ?? 0), listener);
    if (primary) push(held, primary, socket);
    else if (socket.inode === undefined && listener) push(backlog, listener, socket);
    else push(unowned, `${socket.netns} ${socket.uid} ${listener?.local.port ?? ''}`, socket);
  }

  const context: Context = {
    snapshot,
    index,
    holders,
    stuckAfterMs,
    ends: new OtherEnds(snapshot, holders),
    connections: countConnections(snapshot, holders),
  };
  return [
    ...[...held].map(([process, sockets]) => makeCase(context, 'held', sockets, { process })),
    ...[...backlog].map(([listener, sockets]) =>
      makeCase(context, 'backlog', sockets, {
        listener,
        ...optionalProcess(primaryHolder(holders.get(listener.inode ?? 0), undefined)),
      }),
    ),
    ...[...unowned.values()].map((sockets) => makeCase(context, 'unowned', sockets, {})),
    ...closedCases(context),
  ];
}

type Context = {
  snapshot: Snapshot;
  index: ListenerIndex;
  holders: Map<number, Process[]>;
  stuckAfterMs: number;
  ends: OtherEnds;
  connections: Map<Process, number> | undefined;
};

const optionalProcess = (process: Process | undefined): { process?: Process } => (process ? { process } : {});

function holdersOf(snapshot: Snapshot): Map<number, Process[]> {
  const holders = new Map<number, Process[]>();
  for (const process of snapshot.processes.values()) {
    for (const inode of process.sockets?.keys() ?? []) push(holders, inode, process);
  }
  return holders;
}

/**
 * Who of several holders is the one to name: the one that listens there, and of those (or else) the one that has been
 * there longest, as a parent is before its children.
 */
function primaryHolder(holders: Process[] | undefined, listener: Listener | undefined): Process | undefined {
  if (!holders || holders.length < 2) return holders?.[0];
  const listens = (process: Process): number =>
    listener?.inode !== undefined && process.sockets?.has(listener.inode) ? 0 : 1;
  return [...holders].sort(
    (a, b) => listens(a) - listens(b) || (a.startedAt ?? 0) - (b.startedAt ?? 0) || a.pid - b.pid,
  )[0];
}

function makeCase(
  context: Context,
  kind: Case['kind'],
  sockets: TcpSocket[],
  who: Pick<Case, 'process' | 'listener'>,
): Case {
  const { index, stuckAfterMs } = context;
  sockets.sort((a, b) => (ageOf(b).atLeastMs ?? 0) - (ageOf(a).atLeastMs ?? 0));
  const standings = sockets.map((socket) => standingOf(socket, stuckAfterMs));
  const inbound = who.listener ? sockets : sockets.filter((socket) => index.of(socket) !== undefined);
  const listeners = new Set(inbound.map((socket) => index.of(socket)));
  const [only] = listeners;
  const uid = sockets[0]?.uid;
  const connections = who.process && context.connections?.get(who.process);
  return {
    kind,
    ...who,
    ...(only && listeners.size === 1 && inbound.length === sockets.length && { listener: only }),
    ...(!who.process && uid !== undefined && { uid }),
    sockets,
    stuck: standings.filter((standing) => standing === 'stuck').length,
    maybeStuck: standings.filter((standing) => standing === 'maybe').length,
    closedFds: 0,
    ...(connections !== undefined && kind === 'held' && { connections }),
    coHolders: kind === 'held' ? coHolders(context, sockets, who.process) : [],
    direction: directionOf(inbound.length, sockets.length),
    peers: groupPeers(context, sockets),
  };
}

const directionOf = (inbound: number, all: number): Direction =>
  inbound === all ? 'inbound' : inbound === 0 ? 'outbound' : 'mixed';

/** Connections in any state by holder; undefined when other states were not counted. */
function countConnections(snapshot: Snapshot, holders: Map<number, Process[]>): Map<Process, number> | undefined {
  if (snapshot.byState.ESTABLISHED === undefined) return undefined;
  const counts = new Map<Process, number>();
  for (const { inode } of snapshot.sockets) {
    for (const process of holders.get(inode ?? 0) ?? []) counts.set(process, (counts.get(process) ?? 0) + 1);
  }
  return counts;
}

function coHolders(context: Context, sockets: TcpSocket[], process: Process | undefined): Case['coHolders'] {
  const counts = new Map<Process, number>();
  for (const { inode } of sockets) {
    for (const holder of context.holders.get(inode ?? 0) ?? []) {
      if (holder !== process) counts.set(holder, (counts.get(holder) ?? 0) + 1);
    }
  }
  return [...counts]
    .map(([holder, count]) => ({ process: holder, sockets: count }))
    .sort((a, b) => b.sockets - a.sockets);
}

function closedCases({ snapshot }: Context): Case[] {
  const fds = new Map<number, number>();
  for (const { pid } of snapshot.closedButHeld ?? []) fds.set(pid, (fds.get(pid) ?? 0) + 1);
  const cases: Case[] = [];
  for (const [pid, closedFds] of fds) {
    const process = snapshot.processes.get(pid);
    if (!process) continue;
    const none = { sockets: [], stuck: 0, maybeStuck: 0, coHolders: [], peers: [], direction: 'mixed' as const };
    cases.push({ kind: 'closed', process, closedFds, ...none });
  }
  return cases;
}

/** Peers, the most frequent first: by address for inbound connections, by address and port for outbound ones. */
function groupPeers({ snapshot, index, ends }: Context, sockets: TcpSocket[]): PeerGroup[] {
  const groups = new Map<string, PeerGroup>();
  for (const socket of sockets) {
    const outbound = index.of(socket) === undefined;
    const { address, port } = socket.peer;
    const key = outbound ? `${address} ${port}` : address;
    let group = groups.get(key);
    if (!group) {
      const service = outbound ? snapshot.services.get(port) : undefined;
      group = { address, sockets: 0, ...(outbound && { port }), ...(service && { service }) };
      groups.set(key, group);
    }
    group.sockets++;
    if (!group.process) {
      const process = ends.processOf(socket);
      if (process) group.process = { pid: process.pid, name: process.name };
    }
  }
  return [...groups.values()].sort((a, b) => b.sockets - a.sockets);
}

const endpointsKey = (local: Endpoint, peer: Endpoint): string =>
  `${local.address} ${local.port} ${peer.address} ${peer.port}`;

/** Finds the process at the other end of a connection when that end is on this machine. */
class OtherEnds {
  readonly #byEndpoints = new Map<string, TcpSocket>();
  readonly #holders: Map<number, Process[]>;
  readonly #listeners: Map<number, Listener[]> = new Map();

  constructor(snapshot: Snapshot, holders: Map<number, Process[]>) {
    this.#holders = holders;
    for (const socket of snapshot.sockets) {
      if (socket.state !== 'CLOSE_WAIT') this.#byEndpoints.set(endpointsKey(socket.local, socket.peer), socket);
    }
    for (const listener of snapshot.listeners) push(this.#listeners, listener.local.port, listener);
  }

  processOf(socket: TcpSocket): Process | undefined {
    const { local, peer } = socket;
    const end = this.#byEndpoints.get(endpointsKey(peer, local));
    const inode = end?.inode ?? this.#listenerAt(socket)?.inode;
    return inode === undefined ? undefined : this.#holders.get(inode)?.[0];
  }

  // The other end is gone, but who listens where it was is still there.
  #listenerAt({ netns, local, peer }: TcpSocket): Listener | undefined {
    if (!isLoopback(peer.address) && peer.address !== local.address) return undefined;
    return this.#listeners
      .get(peer.port)
      ?.find((it) => it.netns === netns && (it.local.address === peer.address || WILDCARDS.has(it.local.address)));
  }
}

export const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1';
