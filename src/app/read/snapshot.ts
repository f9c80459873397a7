import { ListenerIndex } from '../../diagnose/listeners.ts';
import type { Process } from '../../model/process.ts';
import type { Gap, Snapshot } from '../../model/snapshot.ts';
import type { Listener, TcpSocket, TcpState } from '../../model/socket.ts';
import type { CaptureText } from '../../parse/captures/capture.ts';
import { lacking, linesLost, notAllSeen, stateAssumed, unidentified } from './gaps.ts';
import { type MergedCaptures, type MergedSocket, mergeCaptures } from './sockets.ts';

/** What does not stand in the capture itself. */
export type About = {
  services: ReadonlyMap<number, string>;
  now: number;
  tookMs: number;
  /** An earlier capture will tell something of ages. */
  hasEarlier: boolean;
};

/** The snapshot that a paste makes: what it does not tell is absent, or a gap. */
export function snapshotOf(text: CaptureText, { services, now, tookMs, hasEarlier }: About): Snapshot {
  const merged = mergeCaptures(text.captures);
  const machine = new CapturedMachine(text.notAll, merged);
  resolveFamilies(merged.sockets);
  for (const socket of merged.sockets) if (socket.state === 'LISTEN') machine.addListener(socket);
  machine.indexListeners();
  for (const socket of merged.sockets) if (socket.state !== 'LISTEN') machine.addSocket(socket);
  const closed = machine.closedButHeld(merged);
  const byState = countStates(merged.sockets);
  const formats = [...new Set(text.captures.map(({ format }) => format.replace(/-.*/, '')))];
  return {
    takenAt: now,
    tookMs,
    source: { kind: 'capture', format: formats.join(', ') || UNKNOWN },
    namespaces: [],
    processCount: machine.processes.size,
    tcpSockets: merged.sockets.filter(({ state }) => state !== 'TIME_WAIT').length,
    byState,
    sockets: machine.sockets,
    listeners: machine.listeners,
    processes: machine.processes,
    ...(closed.length > 0 && { closedButHeld: closed }),
    services: new Map([...services, ...text.portNames]),
    gaps: gapsOf(text, merged, machine, hasEarlier),
    reading: { source: 'capture', netlink: 0, text: 0, lookedAt: 0, leftOut: 0, asRoot: !text.notAll },
  };
}

/** ss writes `*:80` for a listener of both families, its older versions for one of IPv4: the connections tell which. */
function resolveFamilies(sockets: MergedSocket[]): void {
  const ports = new Map<number, Set<4 | 6>>();
  for (const { local, family, state } of sockets) {
    if (!local || !family || state === 'LISTEN') continue;
    const families = ports.get(local.port);
    if (families) families.add(family);
    else ports.set(local.port, new Set([family]));
  }
  for (const socket of sockets) {
    const { local, family, state } = socket;
    if (state !== 'LISTEN' || family || !local) continue;
    const families = ports.get(local.port);
    socket.family = families?.has(6) && !families.has(4) ? 6 : 4;
    if (socket.family === 6) socket.local = { ...local, address: '::' };
  }
}

function countStates(sockets: MergedSocket[]): Snapshot['byState'] {
  const counts: Partial<Record<TcpState, number>> = {};
  for (const { state } of sockets) if (state) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

function gapsOf(text: CaptureText, merged: MergedCaptures, { sockets }: CapturedMachine, hasEarlier: boolean): Gap[] {
  const stuck = sockets.filter(({ state }) => state === 'CLOSE_WAIT');
  return [
    ...(text.errorCount > 0 ? [linesLost(text)] : []),
    ...(merged.assumed > 0 ? [stateAssumed(merged.assumed)] : []),
    ...(text.notAll ? [notAllSeen()] : []),
    ...(text.unidentified > 0 ? [unidentified(text.unidentified)] : []),
    ...lacking(text, stuck, merged, hasEarlier),
  ];
}

/** Only headers stand in it. */
const UNKNOWN = 'unknown';

/** A capture knows nothing of namespaces: all its sockets are in one. */
const NO_NETNS = 0;

/** Inodes of sockets are 32 bits (get_next_ino in fs/inode.c). */
const LARGEST_INODE = 0xffff_ffff;

const isInode = (inode: number | undefined): inode is number =>
  inode !== undefined && inode > 0 && inode <= LARGEST_INODE;

class CapturedMachine {
  readonly sockets: TcpSocket[] = [];
  readonly listeners: Listener[] = [];
  readonly processes = new Map<number, Process>();
  readonly #notAll: boolean;
  #index = new ListenerIndex([]);
  /** Inodes that the capture tells, which no stand-in may be. */
  readonly #told: ReadonlySet<number>;
  #nextInode = LARGEST_INODE;

  constructor(notAll: boolean, { sockets, closed }: MergedCaptures) {
    this.#notAll = notAll;
    this.#told = new Set([...sockets, ...closed].flatMap(({ inode }) => inode ?? []));
  }

  /** Stands for an inode that is not told. */
  #standIn(): number {
    while (this.#told.has(this.#nextInode)) this.#nextInode--;
    return this.#nextInode--;
  }

  addListener(socket: MergedSocket): void {
    const { local, family, recvQueue, sendQueue, uid, capture } = socket;
    if (!local) return;
    const inode = isInode(socket.inode) ? socket.inode : this.#standIn();
    // Only ss and netstat -L print the limit of the queue, as Send-Q.
    const limit = capture.format === 'ss' || (capture.format === 'netstat-bsd' && sendQueue) ? sendQueue : undefined;
    this.listeners.push({
      netns: NO_NETNS,
      family: family ?? 4,
      local,
      queue: recvQueue ?? 0,
      ...(recvQueue === undefined && { queueUnknown: true as const }),
      ...(limit !== undefined && { limit }),
      ...(uid !== undefined && { uid }),
      inode,
    });
    this.#hold(socket, inode);
  }

  indexListeners(): void {
    this.#index = new ListenerIndex(this.listeners);
  }

  addSocket(socket: MergedSocket): void {
    const {
      local,
      peer,
      state,
      family,
      capture: _capture,
      holders: _holders,
      device: _device,
      user: _user,
      ...facts
    } = socket;
    if (!local || !peer || !state) return;
    const { inode: told, noHolderShown: _shown, ...rest } = facts;
    const made: TcpSocket = { ...rest, netns: NO_NETNS, family: family ?? 4, local, peer, state };
    const unaccepted = told === 0 || this.#waitsToBeAccepted(made, socket);
    const known = isInode(told);
    const inode = unaccepted ? undefined : known ? told : this.#standIn();
    this.sockets.push({
      ...made,
      ...(inode !== undefined && { inode }),
      ...(inode !== undefined && !known && { inodeUnknown: true as const }),
      ...(unaccepted && told === undefined && { noHolderShown: true as const }),
    });
    if (inode !== undefined) this.#hold(socket, inode);
  }

  /** Nobody has it, all processes could be seen, and connections wait at its listener. */
  #waitsToBeAccepted(made: TcpSocket, { inode, noHolderShown, state }: MergedSocket): boolean {
    if (inode !== undefined || !noHolderShown || this.#notAll || state !== 'CLOSE_WAIT') return false;
    return (this.#index.of(made)?.queue ?? 0) > 0;
  }

  #hold({ holders }: MergedSocket, inode: number): void {
    for (const { pid, name, fd, user, uid } of holders) {
      const process = this.#process(pid, { name, user, uid });
      const fds = (process.sockets as Map<number, number[]>).get(inode) ?? [];
      if (fd !== undefined && !fds.includes(fd)) fds.push(fd);
      (process.sockets as Map<number, number[]>).set(inode, fds);
    }
  }

  #process(
    pid: number,
    about: { name: string | undefined; user: string | undefined; uid: number | undefined },
  ): Process {
    const process: Process = this.processes.get(pid) ?? { pid, name: UNNAMED, sockets: new Map<number, number[]>() };
    const { name, user, uid } = about;
    if (name !== undefined && (process.name === UNNAMED || name.length > process.name.length)) process.name = name;
    if (user !== undefined) process.user = user;
    if (uid !== undefined) process.uid = uid;
    this.processes.set(pid, process);
    return process;
  }

  closedButHeld({ closed }: MergedCaptures): NonNullable<Snapshot['closedButHeld']> {
    const seen = new Set<string>();
    return closed.flatMap(({ holders = [], inode }) =>
      holders.flatMap(({ pid, name, fd, user, uid }) => {
        if (fd === undefined || seen.has(`${pid} ${fd}`)) return [];
        seen.add(`${pid} ${fd}`);
        this.#process(pid, { name, user, uid });
        return { pid, fd, inode: isInode(inode) ? inode : this.#standIn() };
      }),
    );
  }
}

/** Windows and old versions of macOS tell only the pid. */
const UNNAMED = '(unnamed)';
