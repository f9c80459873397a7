import type { Cause, Confidence } from './finding.ts';
import type { Process } from './process.ts';
import type { TcpSocket } from './socket.ts';

/** What can be done from outside, the least harmful first. */
export const RELIEF_ACTIONS = [
  'raise-fd-limit',
  'resume',
  'thaw',
  'keepalive',
  'shutdown',
  'destroy',
  'restart-unit',
  'restart-container',
  'terminate',
] as const;

export type ReliefAction = (typeof RELIEF_ACTIONS)[number];

/** What systemd or a container engine does, and not we. */
export type RestartAction = 'restart-unit' | 'restart-container';

export const isRestart = (action: ReliefAction): action is RestartAction =>
  action === 'restart-unit' || action === 'restart-container';

/** Actions that end connections one by one, and leave the process alone. */
export const SOCKET_ACTIONS: ReadonlySet<ReliefAction> = new Set(['keepalive', 'shutdown', 'destroy']);

export type Decision =
  | {
      kind: 'act';
      action: ReliefAction;
      /** Why this one, and not a gentler one. */
      why: string;
      /** What the program and its users will notice. */
      notices: string[];
      /** What it does not do, though one might think so. */
      willNot: string[];
    }
  | { kind: 'nothing'; why: string }
  | {
      kind: 'refused';
      why: string;
      /** What helps instead: to do, or to type. */
      instead: string[];
    };

/** Who is asked to decide, and about whom, beyond what the finding says. */
export type Circumstances = {
  /** The action that was asked for by name; absent lets the decision be made. */
  wanted?: ReliefAction;
  /** Ends connections although the descriptors stay. */
  socketsOnly: boolean;
  /** User of this process; absent when it could not be read. */
  uid?: number;
  /** CAP_SYS_RESOURCE: limits of other users' processes, and above the hard limit. Root in a container mostly lacks it. */
  mayRaiseAny: boolean;
  /** fs.nr_open: the most that a limit can be; absent when it could not be read. */
  mostFds?: number;
  /** A limit that was asked for. */
  fdLimit?: number;
  /** Processes that must not be touched: this one and those above it. */
  ours: ReadonlySet<number>;
  /** The unit and the container that this process is in. */
  ownUnit?: string;
  ownContainer?: string;
};

/** Which sockets an action would end, and which not. */
export type Selection = {
  sockets: { socket: TcpSocket; fd: number }[];
  /** Left out: too young, age not known for sure, sent on since, also open in other processes. */
  leftOut: { young: number; unsure: number; used: number; shared: number };
};

/** One process with what shall be done to it. */
export type ReliefPlan = {
  process?: Process;
  cause: Cause;
  confidence: Confidence;
  /** All that are stuck in this finding, or descriptors of closed sockets. */
  stuck: number;
  oldestMs?: number;
  peers: { address: string; sockets: number }[];
  decision: Decision;
  selection: Selection;
  /** New ones an hour, and when the descriptors run out at that rate; absent when it is not known. */
  perHour?: number;
  fullInMs?: number;
  /** Younger ones are left as they are. */
  olderThanMs: number;
  /** For raise-fd-limit. */
  fdLimit?: { from: number; to: number };
};

/** A process after something was done to it, or before. What could not be read is absent. */
export type Measure = {
  alive: boolean;
  openFds?: number;
  fdLimit?: number;
  /** Stopped by a signal or debugger, or frozen. */
  halted?: boolean;
  /** Its sockets in CLOSE_WAIT, by inode. */
  closeWait: ReadonlySet<number>;
  /** Every socket in its descriptor table, by inode. */
  held?: ReadonlySet<number>;
  /** Its descriptors of sockets that no longer exist in TCP. */
  closedHeld?: number;
};

/** What came of acting on one process. */
export type Deed = {
  pid: number;
  action: ReliefAction;
  /** Inodes of the sockets on which it was done; absent for what is done to a process. */
  acted?: number[];
  /** Sockets that were left as they are, by the reason. */
  left?: Record<string, number>;
  /** Why it was not done, or not wholly. */
  failed?: string;
  /** What systemd or the engine says of the unit or container after its restart, in its own words. */
  restarted?: { name: string; runs: boolean; state: string; pid?: number };
};

/** `done`: it helped as was promised. `nothing`: there was nothing left to do. `failed`: it did not help, or not wholly. */
export type Verdict = { result: 'done' | 'nothing' | 'failed'; text: string };

/** A deed with what was measured around it. */
export type ReliefResult = {
  shown: ReliefPlan;
  /** The same as it was found right before. */
  plan: ReliefPlan;
  deed: Deed;
  before: Measure;
  after: Measure;
  verdict: Verdict;
  /** Why the outcome is not in the log, as it should be. */
  notKept?: string;
};

/** What was saved before anything was done: a folder with a recording, and in it what single processes told of themselves. */
export type Evidence = {
  recording: string;
  inspected: { pid: number; path: string }[];
  missed: { pid: number; why: string }[];
};
