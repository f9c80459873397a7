import type { ProcessState, Runtime, Wait } from './process.ts';
import type { Gap } from './snapshot.ts';
import type { Endpoint, TcpState } from './socket.ts';

// What a process says of itself when it is looked into: its threads with their stacks, its objects that stand for connections,
// the code that was told of an end. Everything here is a fact that was read; what it means for a cause is said in diagnose.

/**
 * How much is done to a process to learn this: it is only read (`read`); its runtime is asked for what it offers for
 * diagnosis (`attach`); and it may pause noticeably (`deep`).
 */
export type Depth = 'read' | 'attach' | 'deep';

/** Whose code a frame is: the program's own, that of a library it uses, or of the runtime and its standard library. */
export type Origin = 'application' | 'library' | 'runtime';

/** A place in the code, in the program's own words. `line` counts from 1. */
export type Frame = { function: string; file?: string; line?: number; origin: Origin };

/** A lock that a thread waits for, and who has it, by the names that the runtime gives them. */
type LockWait = { lock: string; owner?: string };

/** A file that a thread waits for. Of a TCP socket, its state and ends; of others, what the kernel calls them. */
export type WaitedOn = {
  fd: number;
  /** Whether it waits to read from it or to write to it, where the call asks for events. */
  for?: 'read' | 'write' | 'both';
  inode?: number;
  state?: TcpState;
  local?: Endpoint;
  peer?: Endpoint;
  /** `pipe:[812]`, `/var/lib/app/data`, of what is no TCP socket. */
  file?: string;
};

/** A word in memory on which threads sleep until another one wakes them: a lock, a condition, a queue. */
type FutexWait = {
  /** In the process's memory, in hexadecimal. */
  address: string;
  /** How many threads of this process sleep on it. */
  waiters: number;
  /** The thread that has the lock, in our own pid namespace. Only where the word is a lock that says whose it is. */
  owner?: number;
};

/** The system call in which a thread is, and what its arguments say. */
export type Call = {
  /** As the kernel names it; `system call 999` where its name is not known here. */
  name: string;
  kind?: Wait['kind'];
  /** The first few of what it waits for. */
  on?: WaitedOn[];
  /** How many it waits for in all, where `on` does not show them all. */
  onCount?: number;
  /** How long it waits at most, counted from the call. Absent where it is not known, as with a point in time. */
  timeoutMs?: number;
  /** The call has no limit of time. */
  forever?: true;
  futex?: FutexWait;
};

/** What one thread, goroutine or task was doing, the innermost frame first. */
export type Strand = {
  kind: 'thread' | 'goroutine' | 'task';
  name?: string;
  /** Number of the kernel's thread, in our own pid namespace. */
  tid?: number;
  /** How many do exactly this, where the runtime tells only that; otherwise absent, and one. */
  count?: number;
  /** The runtime's own word: RUNNABLE, WAITING, IO wait. */
  state?: string;
  /** How long it has been so, where the runtime tells; of several, the one that has been so the longest. */
  sinceMs?: number;
  frames: Frame[];
  /** Code that started it. */
  createdBy?: Frame;
  /** What the kernel says of the thread. */
  kernelState?: ProcessState;
  call?: Call;
  /** Share of one processor that it used between two looks, 0 to 1. */
  busy?: number;
  /** The kernel's function in which it sleeps uninterruptibly. */
  sleepsIn?: string;
  waitsFor?: LockWait;
  /** It runs the interpreter, or is the one thread that may (Python's GIL). Absent where there is no such thing. */
  holdsInterpreter?: boolean;
  /** A thread of the runtime's own, such as a garbage collector. */
  ofRuntime?: true;
};

/** Threads that wait for each other's locks in a circle, by name. */
export type Deadlock = { strands: string[] };

/**
 * An object of the program that stands for a connection. It is tied to a socket of the kernel by its descriptor, or by its ends
 * where it has none that could be read. What the runtime does not tell is absent.
 */
export type SocketObject = {
  /** Name of its class: net.Socket, socket.socket, sun.nio.ch.SocketChannelImpl. */
  type: string;
  fd?: number;
  local?: Endpoint;
  peer?: Endpoint;
  /** The program was told of the end of what the peer sends. */
  endDelivered?: boolean;
  /** Reading is switched off. */
  paused?: boolean;
  /** Nobody has begun to read from it. */
  neverRead?: boolean;
  /** This side has ended, or was told to end when the peer does. */
  writableEnded?: boolean;
  /** It stays open when the peer has ended, and the program must end it. */
  allowHalfOpen?: boolean;
  /** The program has let go of it, and it is not closed. */
  destroyed?: boolean;
  /** Bytes in the object's own buffer that the program has not taken. */
  bufferedBytes?: number;
  /** The pool or agent that keeps it, and whether it is idle there. */
  pool?: { name: string; idle?: boolean };
  /** What the program still refers to it by: `static Sessions.byPort`, `dict in app.sessions`. */
  referredBy?: string[];
  /** Handlers of the program for what happens on it. */
  handlers?: { event: string; place: Frame }[];
  /** Where it was made, where that was kept. */
  created?: Frame[];
};

/** Code that read the end of what a peer sends, as it happened while the process was watched. */
export type EndRead = { peer: Endpoint; local?: Endpoint; strand?: string; frames: Frame[]; agoMs: number };

/** Objects of a class: how many there are, and how many more or fewer than at the look before. */
export type ClassCount = { name: string; count: number; change?: number };

/** An epoll set with how many sockets of the process are in it, and which of the stuck ones, with the events asked for. */
export type EpollSet = { fd: number; watched: number; stuck: { inode: number; events: number }[] };

/** What was done to the process in order to learn this, and how long it took. `pauseMs` is how long it stood still for it. */
export type Attachment = { what: string; tookMs: number; pauseMs?: number };

/** What was seen inside one process. An empty list means that nothing of the kind was found; absent, that nobody looked. */
export type Inside = {
  depth: Depth;
  runtime?: Runtime;
  /** Of the runtime, as it says itself: 17.0.15, v20.20.2, 3.11. */
  version?: string;
  strands?: Strand[];
  deadlocks?: Deadlock[];
  objects?: SocketObject[];
  /** `objects` are all that the program still refers to: it has let go of a socket that none of them stands for. */
  objectsComplete?: boolean;
  endReads?: EndRead[];
  /** For how long ends of streams were watched. */
  watchedMs?: number;
  classes?: ClassCount[];
  /** Pools of connections that were recognised, with what was seen of them. */
  pools?: { name: string; detail?: string }[];
  epoll?: EpollSet[];
  /** Inodes of stuck sockets that are in no epoll set; only where all sets were read, and there is no other way to be told. */
  unwatched?: number[];
  attachments: Attachment[];
  gaps: Gap[];
};

/** Strands that do the same, as a reader wants them: how many, what they do, and where in the code. */
export type StrandView = {
  kind: Strand['kind'];
  count: number;
  /** Some of their names. */
  names: string[];
  /** What they do, in words: "wait to receive from 10.0.4.7:6379 (redis)". */
  doing?: string;
  frames: Frame[];
  /** They have nothing to do, or are the runtime's own. */
  atRest: boolean;
};
