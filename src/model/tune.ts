/** What a parameter can do about sockets in CLOSE_WAIT. */
export type Bearing =
  /** It acts on sockets in CLOSE_WAIT, on some of them. */
  | 'reaches'
  /** It moves a limit that a leak runs into, and stops no leak. */
  | 'buys-time'
  /** It is named in much advice, and is about something else. */
  | 'folklore';

/** A network namespace's parameter, or one of the whole machine. */
type Scope = 'netns' | 'machine';

/** A kernel parameter with the values that make sense for it. */
export type Parameter = {
  /** As sysctl(8) writes it: net.ipv4.tcp_keepalive_time. */
  name: string;
  scope: Scope;
  unit?: 'seconds';
  /** How many numbers a value has. */
  numbers: 1 | 2;
  least: number;
  most: number;
  /** Where the bounds come from. */
  bounds: string;
};

/** A parameter as it is set, and what that means for the sockets of one look. */
export type Setting = {
  name: string;
  scope: Scope;
  unit?: 'seconds';
  /** Numbers apart by one space; absent when it could not be read. */
  value?: string;
  bearing: Bearing;
  /** How many CLOSE_WAIT sockets a change can reach, of how many; absent where it reaches none by its nature, or it is not known. */
  reach?: { sockets: number; of: number };
  /** What it means here, and what it cannot do. */
  means: string;
};

/** Descriptor limits of a process that holds sockets in CLOSE_WAIT. */
type DescriptorLimits = { pid: number; name: string; open?: number; soft?: number; hard?: number };

/** Time-outs that a program in this runtime should set, each with where. */
export type TimeoutAdvice = { runtime: string; processes: number[]; lines: string[] };

export type TunePage = {
  netns: { id: number; name?: string; own: boolean };
  /** Sockets in CLOSE_WAIT in this namespace, after the filter; and of how many keepalive is on, off, not known. */
  closeWait: number;
  keepalive: { on: number; off: number; unknown: number };
  settings: Setting[];
  limits: DescriptorLimits[];
  timeouts: TimeoutAdvice[];
};

/** A change that was asked for: checked against what the kernel documents. */
export type Change = { name: string; scope: Scope; before: string; after: string; bearing: Bearing; means: string };
