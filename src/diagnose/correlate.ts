import type { Case } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Endpoint, Listener, TcpSocket } from '../model/socket.ts';
import { standingOf } from './ages.ts';
import { CaseBuilder, type CaseContext } from './case-builder.ts';
import { type Elsewhere, HeldSockets } from './held.ts';
import { Holders } from './holders.ts';
import type { Judge, JudgedCase, Way } from './judged.ts';
import { ListenerIndex } from './listeners.ts';
import { OtherEnds } from './other-ends.ts';
import { remembered } from './remembered.ts';
import { WaitReader } from './waits.ts';

/** Sorts the CLOSE_WAIT sockets of a snapshot into cases: one for each holder, listener or owner. */
export function correlate(snapshot: Snapshot, stuckAfterMs: number): Case[] {
  const { held, elsewhere, others } = gather(snapshot, stuckAfterMs);
  return [...held.map(([process, sockets]) => sockets.whole(elsewhere(process))), ...others];
}

/** The same with each case judged, and those of a holder told apart by cause. */
export function correlateAndJudge(snapshot: Snapshot, stuckAfterMs: number, judge: Judge): JudgedCase[] {
  const { held, elsewhere, others } = gather(snapshot, stuckAfterMs);
  return [
    ...held.flatMap(([process, sockets]) => sockets.cases(elsewhere(process), judge)),
    ...others.map((subject) => ({ subject, judged: judge(subject) })),
  ];
}

type Gathered = {
  held: [Process, HeldSockets][];
  elsewhere: (process: Process) => Elsewhere;
  /** Of the other kinds. */
  others: Case[];
};

function gather(snapshot: Snapshot, stuckAfterMs: number): Gathered {
  const index = new ListenerIndex(snapshot.listeners);
  const holders = new Holders(snapshot);
  const ends = new OtherEnds(snapshot, holders, index);
  const waits = new WaitReader(snapshot, index);
  const { takenAt, services } = snapshot;
  const listenersShown = snapshot.source.kind !== 'capture' || snapshot.listeners.length > 0;
  const builders = new Builders({ stuckAfterMs, takenAt, listenersShown, holders, ends, waits, index, services });
  const others = snapshot.byState.ESTABLISHED === undefined ? undefined : new OtherConnections(holders);
  const accepting = new EndsWithoutListener(snapshot, index);
  const ways = new Ways();

  for (const socket of snapshot.sockets) {
    const listener = index.of(socket);
    const inbound = listener !== undefined || accepting.has(socket);
    if (socket.state !== 'CLOSE_WAIT') {
      others?.add(socket, inbound);
      continue;
    }
    const primary = holders.primary(socket.inode, listener);
    others?.addShared(socket, primary);
    builders.add(socket, primary, ways.of(inbound, listener));
  }
  return {
    held: builders.held,
    elsewhere: (process) => others?.of(process),
    others: [...builders.build(), ...closedCases(snapshot)],
  };
}

/** The connections of each process but those that its own case counts: the CLOSE_WAIT ones it is named for. */
class OtherConnections {
  readonly #holders: Holders;
  readonly #of = new Map<Process, NonNullable<Elsewhere>>();

  constructor(holders: Holders) {
    this.#holders = holders;
  }

  add(socket: TcpSocket, inbound: boolean): void {
    for (const holder of this.#holders.of(socket.inode)) {
      const known = this.of(holder);
      known.connections++;
      known.siblings.push({ socket, inbound });
    }
  }

  /** A CLOSE_WAIT socket counts for all its holders but the one it is told of. */
  addShared({ inode }: TcpSocket, primary: Process | undefined): void {
    for (const other of this.#holders.others(inode, primary)) this.of(other).connections++;
  }

  of(process: Process): NonNullable<Elsewhere> {
    return remembered(this.#of, process, () => ({ connections: 0, siblings: [] }));
  }
}

/** The ways in which connections came about, each of them once: one after the other they mostly have the same. */
class Ways {
  #last: Way = { inbound: false, listener: undefined };
  readonly #in = new Map<Listener | undefined, Way>();
  readonly #out = new Map<Listener | undefined, Way>();

  of(inbound: boolean, listener: Listener | undefined): Way {
    if (inbound !== this.#last.inbound || listener !== this.#last.listener)
      this.#last = remembered(inbound ? this.#in : this.#out, listener, () => ({ inbound, listener }));
    return this.#last;
  }
}

/** Adds each socket to the case it belongs to. */
class Builders {
  readonly #context: CaseContext;
  readonly #held = new Map<Process, HeldSockets>();
  readonly #backlog = new Map<Listener, CaseBuilder>();
  readonly #unowned = new Map<string, CaseBuilder>();
  #lastProcess: Process | undefined;
  #lastHeld: HeldSockets | undefined;

  constructor(context: CaseContext) {
    this.#context = context;
  }

  add(socket: TcpSocket, process: Process | undefined, way: Way): void {
    if (process) this.#heldBy(process).add(socket, way);
    else this.#of(socket, way).add(socket, way, standingOf(socket, this.#context.stuckAfterMs));
  }

  #heldBy(process: Process): HeldSockets {
    if (!this.#lastHeld || process !== this.#lastProcess) {
      this.#lastProcess = process;
      this.#lastHeld = remembered(this.#held, process, () => new HeldSockets(this.#context, process));
    }
    return this.#lastHeld;
  }

  #of(socket: TcpSocket, { listener }: Way): CaseBuilder {
    const context = this.#context;
    if (socket.inode === undefined && listener) {
      return remembered(this.#backlog, listener, () => {
        const process = context.holders.primary(listener.inode, listener);
        return new CaseBuilder(context, { kind: 'backlog', listener, ...(process && { process }) });
      });
    }
    const key = `${socket.netns} ${socket.uid} ${listener?.local.port ?? ''}`;
    return remembered(this.#unowned, key, () => new CaseBuilder(context, { kind: 'unowned' }));
  }

  get held(): [Process, HeldSockets][] {
    return [...this.#held];
  }

  /** Those that no process holds. */
  build(): Case[] {
    return [...this.#backlog.values(), ...this.#unowned.values()].map((builder) => builder.build(undefined));
  }
}

/**
 * So many connections at one local end, from as many different unprivileged ports, came in there: outbound ones share a
 * local port only between different servers, whose ports are mostly equal or well known.
 */
const MANY_AT_ONE_END = 3;
const UNPRIVILEGED = 1024;
/** More different ports than this need not be remembered. */
const ENOUGH_PORTS = 64;

/** Ports of the peers at one local end; `against` when one speaks against it. */
type LocalEnd = { peerPorts: Set<number>; against: boolean };

/** Local ends that connections came in at although nobody listens there any more. */
class EndsWithoutListener {
  readonly #ends = new Map<string, LocalEnd>();
  // One after the other they are mostly of one end.
  #local: Endpoint | undefined;
  #netns = -1;
  #last: LocalEnd = { peerPorts: new Set(), against: true };

  constructor({ sockets }: Snapshot, index: ListenerIndex) {
    let port = -1;
    let without = false;
    for (const socket of sockets) {
      if (socket.local.port !== port) {
        port = socket.local.port;
        without = index.at(port).length === 0;
      }
      if (without) this.#add(socket);
    }
  }

  #endOf({ netns, local }: TcpSocket): LocalEnd {
    if (local === this.#local && netns === this.#netns) return this.#last;
    this.#local = local;
    this.#netns = netns;
    const key = `${netns} ${local.port} ${local.address}`;
    this.#last = remembered(this.#ends, key, () => ({ peerPorts: new Set(), against: false }));
    return this.#last;
  }

  #add(socket: TcpSocket): void {
    const end = this.#endOf(socket);
    const { peerPorts } = end;
    const { port } = socket.peer;
    if (port < UNPRIVILEGED || peerPorts.has(port)) end.against = true;
    else if (peerPorts.size < ENOUGH_PORTS) peerPorts.add(port);
  }

  has(socket: TcpSocket): boolean {
    const { peerPorts, against } = this.#endOf(socket);
    return !against && peerPorts.size >= MANY_AT_ONE_END;
  }
}

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
