import type { Case } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import { endOfRun } from '../model/runs.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { type Listener, TCP_STATE, type TcpSocket } from '../model/socket.ts';
import { SocketRows, UNKNOWN } from '../model/socket-table.ts';
import { CaseBuilder, type CaseContext, wayOf } from './case-builder.ts';
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
  const sockets = SocketRows.of(snapshot.sockets);
  const { table, rows } = sockets;
  const index = new ListenerIndex(snapshot.listeners);
  const ways = waysOf(sockets, index);
  const holders = new Holders(snapshot);
  const ends = new OtherEnds(sockets, holders, index);
  const waits = new WaitReader({ ...snapshot, sockets }, index);
  const { takenAt, services } = snapshot;
  const listenersShown = snapshot.source.kind !== 'capture' || snapshot.listeners.length > 0;
  const context: CaseContext = {
    table,
    ways,
    stuckAfterMs,
    takenAt,
    processes: snapshot.processes,
    listenersShown,
    holders,
    ends,
    waits,
    index,
    services,
  };
  const builders = new Builders(context);
  const others = snapshot.byState.ESTABLISHED === undefined ? undefined : new OtherConnections(holders);

  for (let from = 0, to = 0; from < rows.length; from = to) {
    to = endOfRun(table.state, rows, from, rows.length);
    if (table.state[rows[from] ?? 0] === TCP_STATE.CLOSE_WAIT) builders.add(rows, from, to, others);
    else for (const row of rows.subarray(from, to)) others?.add(table.at(row), wayOf(context, row).inbound);
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

  add(socket: TcpSocket | undefined, inbound: boolean): void {
    if (!socket) return;
    for (const holder of this.#holders.of(socket.inode)) {
      const known = this.of(holder);
      known.connections++;
      known.siblings.push({ socket, inbound });
    }
  }

  /** A CLOSE_WAIT socket counts for all its holders but the one it is told of. */
  addShared(inode: number | undefined, primary: Process | undefined): void {
    for (const other of this.#holders.others(inode, primary)) this.of(other).connections++;
  }

  of(process: Process): NonNullable<Elsewhere> {
    return remembered(this.#of, process, () => ({ connections: 0, siblings: [] }));
  }
}

/** Adds each socket to the case it belongs to. */
class Builders {
  readonly #context: CaseContext;
  readonly #held = new Map<Process, HeldSockets>();
  readonly #backlog = new Map<Listener, CaseBuilder>();
  readonly #unowned = new Map<string, CaseBuilder>();

  constructor(context: CaseContext) {
    this.#context = context;
  }

  /** Adds sockets in CLOSE_WAIT. Of most the table knows who alone holds them. */
  add(rows: Uint32Array, begin: number, end: number, others: OtherConnections | undefined): void {
    const { table, processes } = this.#context;
    for (let from = begin, to = 0; from < end; from = to) {
      to = endOfRun(table.holder, rows, from, end);
      const process = processes.get(table.holder[rows[from] ?? 0] ?? UNKNOWN);
      if (process) this.#heldBy(process).addRows(rows, from, to);
      else for (let place = from; place < to; place++) this.#addOne(rows[place] ?? 0, others);
    }
  }

  #addOne(row: number, others: OtherConnections | undefined): void {
    const { table, holders } = this.#context;
    const { listener } = wayOf(this.#context, row);
    const inode = table.inode[row];
    const process = table.holder[row] === UNKNOWN ? holders.primary(inode, listener) : undefined;
    others?.addShared(inode, process);
    if (process) this.#heldBy(process).add(row);
    else this.#of(row, listener).add(row);
  }

  #heldBy(process: Process): HeldSockets {
    return remembered(this.#held, process, () => new HeldSockets(this.#context, process));
  }

  #of(row: number, listener: Listener | undefined): CaseBuilder {
    const context = this.#context;
    if (context.table.inode[row] === 0 && listener) {
      return remembered(this.#backlog, listener, () => {
        const process = context.holders.primary(listener.inode, listener);
        return new CaseBuilder(context, { kind: 'backlog', listener, ...(process && { process }) });
      });
    }
    const socket = context.table.at(row);
    const key = `${socket?.netns} ${socket?.uid} ${listener?.local.port ?? ''}`;
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

/** How connections came about, by the number of their local end. */
function waysOf(sockets: SocketRows, index: ListenerIndex): Way[] {
  const { table } = sockets;
  const ways = table.ends.map((end): Way => {
    const listener = index.of(end);
    return { inbound: listener !== undefined, listener };
  });
  const portsWithout = table.ends.map(({ local }) => index.at(local.port).length === 0);
  if (portsWithout.includes(true)) {
    for (const end of endsWithoutListener(sockets, portsWithout)) ways[end] = { inbound: true, listener: undefined };
  }
  return ways;
}

/** Local ends that connections came in at although nobody listens at their port any more. */
function endsWithoutListener(sockets: SocketRows, concerned: readonly boolean[]): number[] {
  const { table, rows } = sockets;
  // The families do not matter.
  const names = table.ends.map(({ netns, local }) => `${netns} ${local.port} ${local.address}`);
  const found = new Map<string, { ports: Set<number>; against: boolean }>();
  for (let from = 0, to = 0; from < rows.length; from = to) {
    to = endOfRun(table.end, rows, from, rows.length);
    const end = table.end[rows[from] ?? 0] ?? 0;
    const name = names[end];
    if (!concerned[end] || name === undefined) continue;
    const known = remembered(found, name, () => ({ ports: new Set<number>(), against: false }));
    known.against ||= speakAgainst(known.ports, table.peerPort, rows.subarray(from, to));
  }
  return names.flatMap((name, end) =>
    (found.get(name)?.ports.size ?? 0) >= MANY_AT_ONE_END && !found.get(name)?.against ? end : [],
  );
}

/** Whether any port of the peers is one of those before it, or privileged. */
function speakAgainst(ports: Set<number>, peerPort: Uint32Array, rows: Uint32Array): boolean {
  for (let i = 0; i < rows.length; i++) {
    const port = (peerPort[rows[i] ?? 0] ?? 0) | 0;
    if (port < UNPRIVILEGED || ports.has(port)) return true;
    if (ports.size < ENOUGH_PORTS) ports.add(port);
  }
  return false;
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
