import type { ErrorCode } from './errors.ts';
import type { Process } from './process.ts';
import type { Listener, TcpState } from './socket.ts';
import type { Sockets } from './socket-table.ts';

/** Something that could not be read, what that means for this report, and how to get it. */
export type Gap = { code: ErrorCode; what: string; effect: string; remedy: string };

export type NetNs = {
  /** Inode of the namespace: the number in `net:[4026531840]`. */
  id: number;
  /** Name of its bind mount, as `ip netns` shows it. */
  name?: string;
  /** Whether its tables could be read. */
  read: boolean;
  /** The one the tool runs in. */
  own?: true;
  /** Sockets in the kernel's tables, TIME_WAIT excluded; absent when they were not counted. */
  sockets?: number;
  /** How many local ports there are for connections to one destination; known of the own namespace only. */
  localPorts?: number;
};

export type Source = { kind: 'live' } | { kind: 'recording'; path: string } | { kind: 'capture'; format: string };

/** A descriptor of a TCP socket that is in no TCP table any more: fact 4 of the design. */
export type ClosedButHeld = {
  pid: number;
  fd: number;
  inode: number;
  /** It was a connection once, and not only a socket that was never connected. Absent when that is not known. */
  wasConnected?: true;
};

/** How sockets were found: with a BPF iterator over all descriptors, over netlink, in text files, or in a capture. */
export type ReadingSource = 'bpf' | 'bpf-generic' | 'netlink' | 'procfs' | 'capture';

/** What an earlier capture of the same machine tells of the sockets in CLOSE_WAIT. */
export type Growth = {
  /** Absent when neither capture tells its time and none was given. */
  afterMs?: number;
  before: number;
  appeared: number;
  gone: number;
  stayed: number;
};

/** How a snapshot was read. */
export type Reading = {
  source: ReadingSource;
  /** Why not by BPF; absent where it was not to be tried. */
  bpfRefused?: string;
  /** Namespaces whose tables came over netlink, and from text files. */
  netlink: number;
  text: number;
  /** Processes whose descriptors were looked at, and those left out because every holder had been found. */
  lookedAt: number;
  leftOut: number;
  /** Whether it was read as root. */
  asRoot: boolean;
};

/** Everything seen on one machine at one moment, and what was not. Plain data. */
export type Snapshot = {
  /** Milliseconds since 1970, when the sockets were read: ages count back from here. Of a capture, when it was read. */
  takenAt: number;
  tookMs: number;
  source: Source;
  host?: { name: string; kernel: string };
  namespaces: NetNs[];
  /** All processes that were seen, not only those described in `processes`. */
  processCount: number;
  /** All TCP sockets that were seen; absent when they were not counted. */
  tcpSockets?: number;
  /** Only states that were counted. */
  byState: Partial<Record<TcpState, number>>;
  /** Every socket in CLOSE_WAIT, and of the others those that a holder of a stuck one holds, or that are its other end. */
  sockets: Sockets;
  listeners: Listener[];
  /** Processes that hold one of `sockets` or `listeners`, by pid. */
  processes: Map<number, Process>;
  /** The ones that were found; absent when nobody looked. */
  closedButHeld?: ClosedButHeld[];
  /** How many there can be on the whole machine; absent when that is not known. */
  closedButHeldAtMost?: number;
  /** Open files of the whole machine, and how many there may be. */
  files?: { open: number; limit: number };
  /** Service names of the ports that occur, from /etc/services. */
  services: Map<number, string>;
  gaps: Gap[];
  growth?: Growth;
  reading: Reading;
};
