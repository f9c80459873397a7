import { ParseError, UnclosedError } from '../model/errors.ts';
import { StructReader } from '../parse/bytes.ts';
import type { HeldFacts } from '../parse/held-socket.ts';
import { blankAttributes, type DiagRequest } from '../parse/inet-diag.ts';
import { walkDatagram } from '../parse/netlink.ts';
import type { FdOwner, FdTable, HeldRequest, NetNsEntry, ProcessEntry } from './machine.ts';
import { CompactSocketFds } from './socket-fds.ts';

// What the answers of a machine look like in files: raw bytes where the kernel gives bytes or text, lines of numbers
// where it gives numbers. The encoder and decoder of each stand side by side.

const heldName = ({ states, pid }: HeldRequest): string =>
  `held/${states.toString(16)}${pid === undefined ? '' : `-${pid}`}`;

/** What was asked, from the name of the question; undefined for another one. */
export function parseHeld(name: string): HeldRequest | undefined {
  const match = /^held\/([0-9a-f]{1,8})(?:-([0-9]{1,10}))?\.bin$/.exec(name);
  if (!match) return undefined;
  const [, states = '', pid] = match;
  return { states: Number.parseInt(states, 16), ...(pid !== undefined && { pid: Number(pid) }) };
}

/** Names of the questions, which are also the paths of their files in a recording. */
export const question = {
  now: 'now',
  host: 'host.json',
  processes: 'processes.tsv',
  fdOwners: 'fd-owners.tsv',
  ownNetns: 'own-netns',
  netns: ({ id }: NetNsEntry): string => `netns/${id}/opened`,
  sockstat: ({ id }: NetNsEntry): string => `netns/${id}/sockstat.json`,
  dump: ({ id }: NetNsEntry, { states, family, tcpInfo }: DiagRequest): string =>
    `netns/${id}/dump-${states.toString(16)}-${family ?? 'both'}${tcpInfo ? '-info' : ''}.bin`,
  parameters: ({ id }: NetNsEntry): string => `netns/${id}/parameters.json`,
  held: (request: HeldRequest): string => `${heldName(request)}.bin`,
  heldFacts: (request: HeldRequest): string => `${heldName(request)}.json`,
  fds: (pid: number): string => `fds/${pid}.tsv`,
  protocol: (pid: number, fd: number): string => `protocols/${pid}-${fd}`,
  cgroup: (id: bigint): string => `cgroups/${id}`,
  container: (id: string): string => `containers/${id}.json`,
  file: (path: string): string => `files${path}`,
  head: (path: string): string => `heads${path}`,
  link: (path: string): string => `links${path}`,
  list: (path: string): string => `lists${path}`,
};

/**
 * A datagram with its length before it, as four bytes, so that the dump can be taken apart again. Attributes that no
 * report is made of are blanked: with CAP_NET_ADMIN the kernel gives TCP MD5 keys (INET_DIAG_MD5SIG) too.
 */
export function encodeDatagram(datagram: Uint8Array): Uint8Array {
  const framed = Buffer.allocUnsafe(4 + datagram.length);
  framed.writeUInt32LE(datagram.length, 0);
  framed.set(datagram, 4);
  const copy = framed.subarray(4);
  const reader = new StructReader('nlmsghdr', copy);
  try {
    walkDatagram(reader, copy.length, (_type, start, end) => blankAttributes(reader, start, end));
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    copy.fill(0); // of what is not understood it is not known what it tells
  }
  return framed;
}

export function* decodeDatagrams(bytes: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let offset = 0; offset + 4 <= bytes.length; ) {
    const length = view.getUint32(offset, true);
    yield bytes.subarray(offset + 4, Math.min(bytes.length, offset + 4 + length));
    offset += 4 + length;
  }
}

/** A number that a recording must have; recordings come from anybody. */
export function decodeNumber(text: string | undefined, where: string): number {
  const value = Number(text);
  if (text !== undefined && text !== '' && Number.isSafeInteger(value) && value >= 0) return value;
  throw foreign(where);
}

export const foreign = (where: string): UnclosedError =>
  new UnclosedError('RECORDING_FOREIGN', `${where} of the recording is not understood`, 'take a new recording');

const lines = (text: string): string[][] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('\t'));

export const encodeProcesses = (entries: ProcessEntry[]): string =>
  entries.map(({ pid, netns }) => `${pid}\t${netns ?? '-'}`).join('\n');

export const decodeProcesses = (text: string): ProcessEntry[] =>
  lines(text).map(([pid, netns]) => ({
    pid: decodeNumber(pid, question.processes),
    ...(netns !== '-' && { netns: decodeNumber(netns, question.processes) }),
  }));

export const encodeFdOwners = (owners: Map<number, FdOwner>): string =>
  [...owners].map(([pid, { uid, fdCount }]) => `${pid}\t${uid ?? '-'}\t${fdCount ?? '-'}`).join('\n');

export const decodeFdOwners = (text: string): Map<number, FdOwner> =>
  new Map(
    lines(text).map(([pid, uid, fdCount]) => [
      decodeNumber(pid, question.fdOwners),
      {
        ...(uid !== '-' && { uid: decodeNumber(uid, question.fdOwners) }),
        ...(fdCount !== '-' && { fdCount: decodeNumber(fdCount, question.fdOwners) }),
      },
    ]),
  );

/** The number of descriptors, then `inode fd fd ...` for each socket. */
export const encodeFdTable = ({ count, sockets }: FdTable): string =>
  [String(count ?? '-'), ...[...sockets.keys()].map((inode) => [inode, ...(sockets.get(inode) ?? [])].join('\t'))].join(
    '\n',
  );

export function decodeFdTable(text: string, where: string): FdTable {
  const [[count] = [], ...rows] = lines(text);
  const sockets = new CompactSocketFds();
  for (const [inode, ...fds] of rows) {
    for (const fd of fds) sockets.add(decodeNumber(inode, where), decodeNumber(fd, where));
  }
  return { ...(count !== '-' && { count: decodeNumber(count, where) }), sockets };
}

export function decodeHeldFacts(facts: Record<string, unknown>, where: string): HeldFacts {
  const { kind, ticksPerSecond, keepaliveBit, lingerBit, absent } = facts;
  const bit = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value < 32;
  const ticks = Number(ticksPerSecond);
  const valid = (kind === 'typed' || kind === 'generic') && ticks > 0 && ticks <= 10_000 && Array.isArray(absent);
  if (!valid) throw foreign(where);
  return {
    kind,
    ticksPerSecond: ticks,
    ...(bit(keepaliveBit) && { keepaliveBit }),
    ...(bit(lingerBit) && { lingerBit }),
    absent: absent.map(String),
  };
}
