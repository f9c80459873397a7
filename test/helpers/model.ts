import type { Case, Diagnosis, Finding } from '../../src/model/finding.ts';
import type { Process } from '../../src/model/process.ts';
import type { Snapshot } from '../../src/model/snapshot.ts';
import type { Endpoint, Listener, TcpSocket } from '../../src/model/socket.ts';

// The plainest thing of each kind; a test names only what it is about.

export const HOST_NETNS = 4026531840;
export const NOW = Date.UTC(2026, 10, 20, 3, 12, 44, 120);

/** `10.0.0.7:5432` or `[2001:db8::1]:443`. */
export function endpoint(text: string): Endpoint {
  const colon = text.lastIndexOf(':');
  return { address: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

/** The FIN followed the last data directly: an exact age. */
export const aged = (milliseconds: number): Partial<TcpSocket> => ({
  lastAckReceivedMs: milliseconds,
  lastDataReceivedMs: milliseconds,
  lastDataSentMs: milliseconds + 1,
});

/** A CLOSE_WAIT socket that a process holds, ten minutes old. */
export const socket = (fields: Partial<TcpSocket> = {}): TcpSocket => ({
  netns: HOST_NETNS,
  family: 4,
  state: 'CLOSE_WAIT',
  local: endpoint('10.0.0.1:8000'),
  peer: endpoint('10.0.0.5:40000'),
  recvQueue: 0,
  sendQueue: 0,
  timer: 'none',
  uid: 33,
  inode: 1000,
  ...aged(600_000),
  ...fields,
});

/** A socket that the kernel has completed and nobody has accepted. */
export function unaccepted(fields: Partial<TcpSocket> = {}): TcpSocket {
  const { inode: _none, ...rest } = socket({ recvQueue: 263, ...fields });
  return rest;
}

export const listener = (fields: Partial<Listener> = {}): Listener => ({
  netns: HOST_NETNS,
  family: 4,
  local: endpoint('0.0.0.0:8000'),
  queue: 0,
  limit: 128,
  uid: 33,
  inode: 900,
  ...fields,
});

export const process = (fields: Partial<Process> = {}): Process => ({
  pid: 812,
  name: 'gunicorn',
  command: 'gunicorn app:app -w 4',
  uid: 33,
  user: 'www',
  state: 'sleeping',
  openFds: 20,
  fdLimit: 1024,
  startedAt: NOW / 1000 - 86_400,
  netns: HOST_NETNS,
  ...fields,
});

export const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** `count` sockets of consecutive inodes and peers' ports. */
export const sockets = (count: number, fields: Partial<TcpSocket> = {}, firstInode = 1000): TcpSocket[] =>
  times(count, (i) => socket({ inode: firstInode + i, peer: endpoint(`10.0.0.5:${40_000 + i}`), ...fields }));

/** Descriptors 10, 11, ... on these sockets and listeners. */
export const holding = (...held: { inode?: number }[]): Map<number, number[]> =>
  new Map(held.flatMap(({ inode }, i) => (inode === undefined ? [] : [[inode, [10 + i]]])));

export function snapshot(fields: Partial<Omit<Snapshot, 'processes'>> & { processes?: Process[] } = {}): Snapshot {
  const { processes = [], ...rest } = fields;
  return {
    takenAt: NOW,
    tookMs: 93,
    source: { kind: 'live' },
    host: { name: 'db-1', kernel: '6.18.4' },
    namespaces: [{ id: HOST_NETNS, read: true, own: true, sockets: 42 }],
    processCount: 18,
    tcpSockets: 42,
    byState: { ESTABLISHED: 10, CLOSE_WAIT: 2, LISTEN: 3 },
    sockets: [],
    listeners: [],
    processes: new Map(processes.map((it) => [it.pid, it])),
    services: new Map(),
    gaps: [],
    reading: { source: 'netlink', netlink: 1, text: 0, lookedAt: 3, asRoot: true, leftOut: 0 },
    ...rest,
  };
}

/** A case of kind `held` with one stuck socket. */
export function caseOf(fields: Partial<Case> = {}): Case {
  const all = fields.sockets ?? [socket()];
  return {
    kind: 'held',
    process: process(),
    sockets: all,
    stuck: all.length,
    maybeStuck: 0,
    closedFds: 0,
    coHolders: [],
    direction: 'inbound',
    peers: [{ address: '10.0.0.5', sockets: all.length }],
    ...fields,
  };
}

export const findingOf = (fields: Partial<Finding> = {}): Finding => ({
  severity: 'warning',
  crossed: ['older than 5 min'],
  cause: 'unknown',
  confidence: 'undecided',
  patterns: [],
  forecast: [],
  subject: caseOf(),
  evidence: [{ fact: 'Recv-Q 0 on all 1', says: 'everything was read, and the socket was not closed' }],
  next: [{ command: 'unclosed 812 --sockets', why: 'lists each socket with its age and queues' }],
  ...fields,
});

export const diagnosisOf = (findings: Finding[], fields: Partial<Diagnosis> = {}): Diagnosis => ({
  status: findings[0]?.severity ?? 'ok',
  findings,
  totals: { closeWait: findings.length, stuck: findings.length, maybeStuck: 0 },
  gaps: [],
  ...fields,
});
