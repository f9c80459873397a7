import type { Endpoint, TcpState, TcpTimer } from '../../model/socket.ts';

/** What `unclosed read` can read; `summary` are counts by state. */
export const CAPTURE_FORMATS = [
  'lsof',
  'lsof-fields',
  'lsof-json',
  'ss',
  'netstat',
  'netstat-bsd',
  'netstat-windows',
  'proc-net-tcp',
  'lsfd',
  'lsfd-json',
  'summary',
] as const;

export type CaptureFormat = (typeof CAPTURE_FORMATS)[number];

/** A process that has a socket, as far as the line tells. */
export type CapturedHolder = { pid: number; name?: string; fd?: number; user?: string; uid?: number };

/** What one line of a capture tells of one TCP socket. What it does not tell is absent. */
export type CaptureRow = {
  /** Line in the paste, from 1. */
  line: number;
  family?: 4 | 6;
  state?: TcpState;
  local?: Endpoint;
  /** Absent for listeners. */
  peer?: Endpoint;
  recvQueue?: number;
  sendQueue?: number;
  timer?: TcpTimer;
  timerMs?: number;
  uid?: number;
  user?: string;
  /** 0 when the line says that no file belongs to the socket. */
  inode?: number;
  cookie?: bigint;
  /** The kernel's address of the socket, where lsof of other systems prints it: equal for all holders. */
  device?: string;
  lastAckReceivedMs?: number;
  lastDataReceivedMs?: number;
  lastDataSentMs?: number;
  /** Empty when the line has a place for processes and names none. */
  holders?: CapturedHolder[];
  /** A descriptor of a TCP socket without a connection: lsof says `protocol: TCP`. */
  closed?: true;
  /** The line ends where more belongs: a wrapped or cut line. */
  incomplete?: true;
};

/** A count of a summary, such as `7047 CLOSE_WAIT`. */
export type CaptureCount = { line: number; state: TcpState; count: number };

/** What a parser makes of a line: a row, `noise` that tells nothing of TCP, or not its format. */
export type LineReading = CaptureRow | 'noise' | undefined;
