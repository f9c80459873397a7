import { ListenerIndex } from '../diagnose/listeners.ts';
import { UnclosedError } from '../model/errors.ts';
import type { Process } from '../model/process.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { TcpSocket } from '../model/socket.ts';

/** Loaded for those who filter by addresses only: it takes 3 ms. */
const net = (): typeof import('node:net') => process.getBuiltinModule('node:net');

/** Which sockets to report. Several conditions must all hold. */
export type Filter = {
  pids?: number[];
  /** Local or remote. */
  port?: number;
  /** `10.0.0.7`, `10.0.0.7:5432`, `[fe80::1]:443` or `10.0.0.0/8`. */
  peer?: string;
  /** Beginning of the process's name, as with `lsof -c`. */
  command?: string;
  unit?: string;
  /** Name of a container or pod, or the beginning of the container's id. */
  container?: string;
  /** Number or name of a network namespace. */
  netns?: string;
  family?: 4 | 6;
};

/** The snapshot with only those CLOSE_WAIT sockets and closed descriptors that the filter lets pass. */
export function applyFilter(snapshot: Snapshot, filter: Filter): Snapshot {
  if (Object.keys(filter).length === 0) return snapshot;
  const accepts = socketTest(snapshot, filter);
  const byProcess = processTest(filter);
  const index = new ListenerIndex(snapshot.listeners);
  const matching = byProcess && [...snapshot.processes.values()].filter(byProcess);
  const heldBy = (inode: number | undefined): boolean =>
    inode !== undefined && matching?.some(({ sockets }) => sockets?.has(inode)) === true;
  const passes = (socket: TcpSocket): boolean =>
    accepts(socket) && (!matching || heldBy(socket.inode ?? index.of(socket)?.inode));
  const pids = matching && new Set(matching.map(({ pid }) => pid));
  // A closed socket has no addresses any more, so a condition on them passes none.
  const bySocket =
    filter.port !== undefined || filter.peer !== undefined || filter.family !== undefined || filter.netns !== undefined;
  const closed = bySocket ? undefined : snapshot.closedButHeld?.filter(({ pid }) => !pids || pids.has(pid));
  const { closedButHeld: _all, closedButHeldAtMost: _most, ...rest } = snapshot;
  return {
    ...rest,
    sockets: snapshot.sockets.filter((socket) => socket.state !== 'CLOSE_WAIT' || passes(socket)),
    ...(closed && { closedButHeld: closed }),
  };
}

function socketTest(snapshot: Snapshot, { port, peer, netns, family }: Filter): (socket: TcpSocket) => boolean {
  const tests: ((socket: TcpSocket) => boolean)[] = [];
  if (port !== undefined) tests.push(({ local, peer: end }) => local.port === port || end.port === port);
  if (peer !== undefined) tests.push(peerTest(peer));
  if (family !== undefined) tests.push((socket) => net().isIP(socket.peer.address) === family);
  if (netns !== undefined) {
    const wanted = snapshot.namespaces.find(({ id, name }) => String(id) === netns || name === netns);
    if (!wanted) {
      const known = snapshot.namespaces
        .map(({ id, name }) => name ?? id)
        .slice(0, 10)
        .join(', ');
      throw new UnclosedError('USAGE', `no network namespace ${netns} was seen`, `there are: ${known}`);
    }
    if (!wanted.read) {
      throw new UnclosedError('NETNS_DENIED', `network namespace ${netns} could not be read`, 'run as root');
    }
    tests.push((socket) => socket.netns === wanted.id);
  }
  return (socket) => tests.every((test) => test(socket));
}

function peerTest(text: string): (socket: TcpSocket) => boolean {
  const match = /^(?:\[([^\]]+)\]|([^[\]]*?))(?:\/([0-9]{1,3}))?(?::([0-9]{1,5}))?$/.exec(text);
  const whole = net().isIP(text) !== 0; // an IPv6 address without port has colons of its own
  const address = whole ? text : (match?.[1] ?? match?.[2] ?? '');
  const prefix = whole ? undefined : match?.[3];
  const port = whole || match?.[4] === undefined ? undefined : Number(match[4]);
  const version = net().isIP(address);
  const bits = version === 6 ? 128 : 32;
  if (version === 0 || Number(prefix ?? 0) > bits || (port ?? 0) > 65_535) {
    throw new UnclosedError(
      'USAGE',
      `--peer ${text}: no address`,
      'write 10.0.0.7, 10.0.0.7:5432, [fe80::1]:443 or 10.0.0.0/8',
    );
  }
  const list = new (net().BlockList)();
  list.addSubnet(address, prefix === undefined ? bits : Number(prefix), version === 6 ? 'ipv6' : 'ipv4');
  return ({ peer }) =>
    (port === undefined || peer.port === port) &&
    list.check(peer.address, net().isIP(peer.address) === 6 ? 'ipv6' : 'ipv4');
}

export function processTest({ pids, command, unit, container }: Filter): ((process: Process) => boolean) | undefined {
  const tests: ((process: Process) => boolean)[] = [];
  if (pids !== undefined) tests.push(({ pid }) => pids.includes(pid));
  if (command !== undefined) tests.push(({ name }) => name.startsWith(command));
  if (unit !== undefined) tests.push((process) => process.unit === unit || process.unit === `${unit}.service`);
  if (container !== undefined) {
    tests.push(
      (process) =>
        process.container?.name === container ||
        process.pod?.name === container ||
        process.container?.id.startsWith(container) === true,
    );
  }
  return tests.length === 0 ? undefined : (process) => tests.every((test) => test(process));
}
