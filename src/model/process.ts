export type Runtime = 'java' | 'node' | 'python' | 'go' | 'ruby' | 'php' | 'perl' | 'dotnet' | 'native';

export type Container = {
  engine: 'docker' | 'containerd' | 'cri-o' | 'podman' | 'lxc' | 'nspawn' | 'unknown';
  id: string;
  name?: string;
};

export type Pod = { uid?: string; name?: string; namespace?: string };

/** What advice names options of. Each is recognised by a file that it has open or mapped, or by its command line. */
export type LibraryName =
  | 'HikariCP'
  | 'Apache HttpClient 4'
  | 'Apache HttpClient 5'
  | 'OkHttp'
  | 'Netty'
  | 'Reactor Netty'
  | 'Tomcat'
  | 'Jetty'
  | 'Commons Pool'
  | 'requests'
  | 'aiohttp'
  | 'gunicorn'
  | 'uvicorn'
  | 'PHP-FPM'
  | 'nginx'
  | 'HAProxy';

/** `version` is what the name of its file says. */
export type Library = { name: LibraryName; version?: string };

/** Process states as in /proc/PID/stat, in words (Documentation/filesystems/proc.rst). */
export type ProcessState =
  | 'running'
  | 'sleeping'
  | 'uninterruptible'
  | 'stopped'
  | 'traced'
  | 'zombie'
  | 'dead'
  | 'idle'
  | 'parked';

/** The system call in which a thread waits, and for the calls that have one, on which descriptor. */
export type Wait = {
  call: string;
  kind: 'receive' | 'send' | 'connect' | 'accept' | 'events' | 'lock' | 'sleep' | 'child';
  fd?: number;
};

/** A thread at one moment. Without `wait` it runs, or waits in a call that is not known here. */
export type Thread = {
  tid: number;
  wait?: Wait;
  /** Looked at only where `wait` is absent, a moment after the rest. */
  state?: ProcessState;
  /** Share of one processor that it used in that moment, 0 to 1. */
  busy?: number;
  /** The kernel's function in which it sleeps uninterruptibly. */
  sleepsIn?: string;
};

/** A file in an epoll set: its descriptor when it was put in, the events asked for (EPOLL*), its inode since Linux 4.13. */
export type EpollEntry = { fd: number; events: number; inode?: number };

/** The epoll sets in a descriptor table, each with the sockets of the process in it: inode to events asked for. */
export type EpollSets = {
  sets: { fd: number; sockets: ReadonlyMap<number, number> }[];
  /** Whether these are all it has, and it has no other way to be told (io_uring): what is in none is watched by none. */
  complete: boolean;
};

/** How many of the descriptors that were looked at are closed on exec(2). */
export type CloseOnExec = { looked: number; set: number };

/** Inodes of the sockets in a descriptor table with the numbers of their descriptors. A Map is one. */
export interface SocketFds {
  readonly size: number;
  has(inode: number): boolean;
  get(inode: number): readonly number[] | undefined;
  keys(): Iterable<number>;
  /** The same at once, where they lie so. */
  inodes?(): Uint32Array;
  /** Inode of the socket at a descriptor; where this is missing, only a walk over all of them tells. */
  inodeAt?(fd: number): number | undefined;
}

/** What is known of a process that holds a socket. What could not be read is absent. */
export type Process = {
  pid: number;
  name: string;
  command?: string;
  parent?: number;
  uid?: number;
  user?: string;
  /** Seconds since 1970. */
  startedAt?: number;
  state?: ProcessState;
  threads?: number;
  /** What each thread was doing; absent when nobody looked, or nobody may. */
  threadList?: Thread[];
  openFds?: number;
  fdLimit?: number;
  fdHardLimit?: number;
  runtime?: Runtime;
  /** Libraries and server programs that were recognised; absent when nobody looked, or found none. */
  libraries?: Library[];
  unit?: string;
  container?: Container;
  pod?: Pod;
  netns?: number;
  /** Stopped by the cgroup freezer, as `docker pause` does. */
  frozen?: boolean;
  /** Absent when nobody looked, or there are too many sockets to look. */
  epoll?: EpollSets;
  /** Of the stuck sockets that it holds; absent when nobody looked. */
  closeOnExec?: CloseOnExec;
  /** Every socket in its descriptor table; absent when the table was not read. */
  sockets?: SocketFds;
};

/** A process with the descriptors under which it holds one socket. */
export type Holder = { pid: number; fds: number[] };
