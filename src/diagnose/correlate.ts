import type { Case } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Listener, TcpSocket } from '../model/socket.ts';
import { CaseBuilder, type CaseContext } from './case-builder.ts';
import { Holders } from './holders.ts';
import { ListenerIndex } from './listeners.ts';
import { OtherEnds } from './other-ends.ts';
import { WaitReader } from './waits.ts';

/** Sorts the CLOSE_WAIT sockets of a snapshot into cases: one for each holder, listener or owner. */
export function correlate(snapshot: Snapshot, stuckAfterMs: number): Case[] {
  const index = new ListenerIndex(snapshot.listeners);
  const holders = new Holders(snapshot);
  const ends = new OtherEnds(snapshot, holders, index);
  const waits = new WaitReader(snapshot, index);
  const builders = new Builders({ stuckAfterMs, holders, ends, waits, index, services: snapshot.services });
  const connections = snapshot.byState.ESTABLISHED === undefined ? undefined : new Map<Process, number>();
  const accepting = new EndsWithoutListener(snapshot, index);

  for (const socket of snapshot.sockets) {
    const listener = socket.state === 'CLOSE_WAIT' ? index.of(socket) : undefined;
    const primary = holders.primary(socket.inode, listener);
    if (connections) countElsewhere(connections, socket, primary, holders);
    if (socket.state !== 'CLOSE_WAIT') continue;
    const inbound = listener !== undefined || accepting.has(socket);
    builders.of(socket, primary, listener).add(socket, inbound, listener);
  }
  return [...builders.build(connections), ...closedCases(snapshot)];
}

/** Counts the connections of each process but those that its own case counts: the CLOSE_WAIT ones it is named for. */
function countElsewhere(
  connections: Map<Process, number>,
  { state, inode }: TcpSocket,
  primary: Process | undefined,
  holders: Holders,
): void {
  const count = (process: Process): void => void connections.set(process, (connections.get(process) ?? 0) + 1);
  if (primary && state !== 'CLOSE_WAIT') count(primary);
  for (const other of holders.others(inode, primary)) count(other);
}

/** Finds or makes the case a socket belongs to. */
class Builders {
  readonly #context: CaseContext;
  readonly #held = new Map<Process, CaseBuilder>();
  readonly #backlog = new Map<Listener, CaseBuilder>();
  readonly #unowned = new Map<string, CaseBuilder>();

  constructor(context: CaseContext) {
    this.#context = context;
  }

  of(socket: TcpSocket, process: Process | undefined, listener: Listener | undefined): CaseBuilder {
    const context = this.#context;
    if (process) {
      return remembered(this.#held, process, () => new CaseBuilder(context, { kind: 'held', process }));
    }
    if (socket.inode === undefined && listener) {
      return remembered(this.#backlog, listener, () => {
        const process = context.holders.primary(listener.inode, listener);
        return new CaseBuilder(context, { kind: 'backlog', listener, ...(process && { process }) });
      });
    }
    const key = `${socket.netns} ${socket.uid} ${listener?.local.port ?? ''}`;
    return remembered(this.#unowned, key, () => new CaseBuilder(context, { kind: 'unowned' }));
  }

  build(connections: Map<Process, number> | undefined): Case[] {
    return [
      ...[...this.#held].map(([process, builder]) => builder.build(connections && (connections.get(process) ?? 0))),
      ...[...this.#backlog.values(), ...this.#unowned.values()].map((builder) => builder.build(undefined)),
    ];
  }
}

function remembered<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

/**
 * So many connections at one local end, from as many different unprivileged ports, came in there: outbound ones share a
 * local port only between different servers, whose ports are mostly equal or well known.
 */
const MANY_AT_ONE_END = 3;
const UNPRIVILEGED = 1024;
/** More different ports than this need not be remembered. */
const ENOUGH_PORTS = 64;

/** Local ends that connections came in at although nobody listens there any more. */
class EndsWithoutListener {
  /** Ports of the peers by local port and namespace, then by local address; undefined when one speaks against it. */
  readonly #peerPorts = new Map<number, Map<string, Set<number> | undefined>>();

  constructor({ sockets }: Snapshot, index: ListenerIndex) {
    let port = -1;
    let without = false;
    for (const socket of sockets) {
      // One after the other they are mostly of one listener.
      if (socket.local.port !== port) {
        port = socket.local.port;
        without = index.at(port).length === 0;
      }
      if (without) this.#add(socket);
    }
  }

  #add({ netns, local, peer }: TcpSocket): void {
    const key = numberOf(netns, local.port);
    let addresses = this.#peerPorts.get(key);
    if (!addresses) {
      addresses = new Map();
      this.#peerPorts.set(key, addresses);
    }
    const ports = addresses.get(local.address);
    if (!ports) {
      if (!addresses.has(local.address))
        addresses.set(local.address, peer.port < UNPRIVILEGED ? undefined : new Set([peer.port]));
    } else if (peer.port < UNPRIVILEGED || ports.has(peer.port)) {
      addresses.set(local.address, undefined);
    } else if (ports.size < ENOUGH_PORTS) {
      ports.add(peer.port);
    }
  }

  has({ netns, local }: TcpSocket): boolean {
    const ports = this.#peerPorts.get(numberOf(netns, local.port))?.get(local.address);
    return ports !== undefined && ports.size >= MANY_AT_ONE_END;
  }
}

/** Namespaces are numbered in 32 bits, ports in 16. */
const numberOf = (netns: number, port: number): number => netns * 65_536 + port;

function closedCases(snapshot: Snapshot): Case[] {
  const fds = new Map<number, { all: number; wereConnected: number }>();
  for (const { pid, wasConnected } of snapshot.closedButHeld ?? []) {
    const count = remembered(fds, pid, () => ({ all: 0, wereConnected: 0 }));
    count.all++;
    if (wasConnected) count.wereConnected++;
  }
  const cases: Case[] = [];
  for (const [pid, { all, wereConnected }] of fds) {
    const process = snapshot.processes.get(pid);
    if (!process) continue;
    const none = { sockets: [], stuck: 0, maybeStuck: 0, coHolders: [], peers: [], direction: 'mixed' as const };
    const closedWereConnected = all === wereConnected ? { closedWereConnected: true as const } : {};
    cases.push({ kind: 'closed', process, closedFds: all, ...closedWereConnected, ...none });
  }
  return cases;
}
