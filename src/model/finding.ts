import type { Frame, Strand } from './inside.ts';
import type { Process, Wait } from './process.ts';
import type { Gap, Snapshot } from './snapshot.ts';
import type { AgeRange, Listener, TcpSocket } from './socket.ts';
import type { Sockets } from './socket-table.ts';

/** The vocabulary of causes; docs/causes/ has a page for each. */
export const CAUSES = [
  'missing-close',
  'forgotten',
  'not-reading',
  'stale-pool',
  'stalled',
  'accept-backlog',
  'inherited-fd',
  'proxy-leg',
  'closed-but-held',
  'half-close',
  'churn',
  'unknown',
] as const;

export type Cause = (typeof CAUSES)[number];

export type Severity = 'ok' | 'warning' | 'critical';
export type Confidence = 'proven' | 'likely' | 'undecided';
export type Pattern = 'probe' | 'burst' | 'steady' | 'accelerating' | 'plateau';
/** `unknown` in a capture without listeners, in which nothing tells who came to whom. */
export type Direction = 'inbound' | 'outbound' | 'mixed' | 'unknown';

/** A fact that was read, and what it says about the program. */
export type Evidence = { fact: string; says: string };

/** A command to run or a thing to do, and why. */
export type NextStep = { command?: string; why: string };

export type PeerGroup = {
  address: string;
  /** Absent for inbound connections: the peer's port is random there. */
  port?: number;
  service?: string;
  sockets: number;
  /** The process at the other end, when it is on this machine. */
  process?: { pid: number; name: string };
};

/** Threads that wait in the same call for the same. */
export type WaitGroup = {
  threads: number;
  /** Absent when they run, or wait in a call that is not known. */
  kind?: Wait['kind'];
  /** The other end of the connection they wait on, or the address they accept at. */
  end?: PeerGroup;
  /** They wait on a socket that is no TCP connection, or of which that is not known. */
  socket?: 'other' | 'unread';
  /** How long nothing has been sent or received on that connection. */
  silentMs?: number;
  /** What was sent there last has not been answered: whoever waits, waits for an answer. */
  asked?: boolean;
};

/** What all threads of a process were doing at one moment, the largest group first. */
export type Waits = { threads: number; groups: WaitGroup[] };

/**
 * What lies unread, as Recv-Q tells: nothing, the end alone (one byte for the FIN, or a TLS goodbye with it), or data.
 * It is what the runtime did, which may read on behalf of a handler.
 */
export type Reception = 'read' | 'end' | 'unread';

/**
 * What the epoll sets of the holder ask about a socket: nothing, for it is in none of them (`none`); something, but not
 * about reading (`off`); reading, once, and that was told (`spent`); reading, told again at every wait (`level`) or when
 * something new comes (`edge`); `some` when it is in a set that was not read.
 */
export type Interest = 'none' | 'off' | 'spent' | 'level' | 'edge' | 'some';

/** A connection, and whether it came in. */
export type Connection = { socket: TcpSocket; inbound: boolean };

/** What the kernel says of each of the sockets of a case alike. */
export type Traits = {
  /** Absent in a capture that does not tell Recv-Q. */
  reception?: Reception;
  /** Absent when it is not known. */
  interest?: Interest;
  /** Whether this side still sends: and it is taken (`sending`), or it is not (`clogged`). */
  flow: 'still' | 'sending' | 'clogged';
  /** The other leg of each, where a process relays between two connections. */
  legs?: TcpSocket[];
  /** The connections are older than the process that holds them. */
  olderThanHolder: boolean;
};

/**
 * The sockets of one holder, before anybody says why they are there:
 * `held` by a process, `backlog` of a listener that nobody has accepted, `unowned` (a file belongs to them, but no
 * process was seen that holds it), `closed` (gone from every TCP table, the descriptor still open), or `counted` (a
 * capture tells only how many there are: `maybeStuck`).
 */
export type Case = {
  kind: 'held' | 'backlog' | 'unowned' | 'closed' | 'counted';
  /** The holder; of a backlog, the process that listens. */
  process?: Process;
  /** Who made the sockets, where no process is known. */
  uid?: number;
  listener?: Listener;
  /** All CLOSE_WAIT sockets of this case, the oldest first. */
  sockets: Sockets;
  stuck: number;
  /** Sockets that may be stuck: their age is known only as a range that spans the limit, or not at all. */
  maybeStuck: number;
  /** Descriptors of closed sockets; of kind `closed` only, 0 otherwise. */
  closedFds: number;
  /** Whether all of them are known to have been connections once. */
  closedWereConnected?: true;
  /** All connections of the process, in whatever state; absent when they were not counted. */
  connections?: number;
  /** Other processes that hold some of the same sockets; of a backlog, those that hold the listener too. */
  coHolders: { process: Process; sockets: number; waits?: Waits }[];
  /** Of `process`; absent when its threads were not looked at. */
  waits?: Waits;
  direction: Direction;
  peers: PeerGroup[];
  /** Of kind `held`, when its sockets are alike. */
  traits?: Traits;
  /** With `traits`: the inbound stuck sockets of the whole process, these included. */
  besides?: Sockets;
  /** Other connections of the process that are not in CLOSE_WAIT; absent when they were not read. */
  siblings?: readonly Connection[];
};

export type Verdict =
  | { kind: 'yes'; confidence: 'proven' | 'likely'; evidence: Evidence[] }
  | { kind: 'undecided'; evidence: Evidence[] }
  | { kind: 'no' };

/** One cause: judges a case in the light of the whole snapshot. */
export type Rule = {
  cause: Cause;
  judge(subject: Case, snapshot: Snapshot): Verdict;
};

/**
 * What happens at a place in the code, to the sockets of a finding or instead of something being done about them: the end was read
 * there (`read-end`); it handles an event of theirs (`handler`); threads wait there (`waits`), for each other (`deadlock`), or
 * compute (`runs`); they were made there (`made`); or it is what still refers to them (`refers`).
 */
export type CodeRole = 'read-end' | 'handler' | 'waits' | 'deadlock' | 'runs' | 'made' | 'refers';

/** A place in the program's own code that has to do with the sockets of a finding. */
export type CodePlace = {
  role: CodeRole;
  /** Absent where only a name is known, as of what refers to an object. */
  frame?: Frame;
  /** Frames of the application that led there, the nearest first. */
  callers: Frame[];
  /** Of the sockets of the finding, how many it concerns. */
  sockets?: number;
  /** Threads, goroutines or tasks, of so many. */
  strands?: number;
  of?: number;
  kind?: Strand['kind'];
  /** The event that is handled; what is waited for; what refers to them. */
  what?: string;
};

export type Arrivals = { perHour: number; windowMs: number };

/** What is used up at the present rate, and when: descriptors of the process, its accept queue, ports, files of the machine. */
export type Forecast = { resource: 'descriptors' | 'accept-queue' | 'ports' | 'files'; inMs: number };

export type Finding = {
  severity: Severity;
  /** The limits that were crossed, in words. Empty when the severity is ok. */
  crossed: string[];
  /** Why limits that would have been crossed do not count for this cause. */
  harmless?: string;
  cause: Cause;
  confidence: Confidence;
  patterns: Pattern[];
  subject: Case;
  /** Lower bounds, and of the oldest the upper one too. `exact` when the bounds of all sockets agree. */
  age?: { oldestMs: number; oldestAtMostMs: number; medianMs: number; youngestMs: number; exact: boolean };
  arrivals?: Arrivals;
  fds?: { open: number; limit?: number; fullInMs?: number };
  /** The earliest first; empty when there is no rate to tell it from. */
  forecast: Forecast[];
  /** The lines of code that it is about, the most telling first; only where the process was looked into. */
  code?: CodePlace[];
  evidence: Evidence[];
  next: NextStep[];
};

export type Diagnosis = {
  status: Severity;
  findings: Finding[];
  totals: { closeWait: number; stuck: number; maybeStuck: number; closedButHeld?: number };
  gaps: Gap[];
};

/** A CLOSE_WAIT socket for a list: with its age, the cause of its finding, and all holders. */
export type SocketRow = {
  socket: TcpSocket;
  age: AgeRange;
  cause: Cause;
  holders: { pid: number; name: string; fds: readonly number[] }[];
};

/** What counts as stuck and what as alarming. Times are in milliseconds. */
export type Limits = {
  stuckAfterMs: number;
  warningSockets: number;
  criticalFdShare: number;
  /** Share of the descriptor limit that is not used. */
  criticalFdsLeft: number;
  warningAgeMs: number;
  criticalAgeMs: number;
  /** Age alone raises the severity only when at least this many sockets are concerned. */
  ageSockets: number;
  warningFullInMs: number;
  criticalFullInMs: number;
};

export const DEFAULT_LIMITS: Limits = {
  stuckAfterMs: 60_000,
  warningSockets: 100,
  criticalFdShare: 0.5,
  criticalFdsLeft: 0.05,
  warningAgeMs: 5 * 60_000,
  criticalAgeMs: 30 * 60_000,
  ageSockets: 10,
  warningFullInMs: 24 * 3600_000,
  criticalFullInMs: 2 * 3600_000,
};
