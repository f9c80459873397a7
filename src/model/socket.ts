/** A TCP state under the kernel's name (include/net/tcp_states.h). */
export type TcpState = keyof typeof TCP_STATE;

// enum in include/net/tcp_states.h; /proc/net/tcp prints the same numbers in hex.
export const TCP_STATE = {
  ESTABLISHED: 1,
  SYN_SENT: 2,
  SYN_RECV: 3,
  FIN_WAIT1: 4,
  FIN_WAIT2: 5,
  TIME_WAIT: 6,
  CLOSE: 7,
  CLOSE_WAIT: 8,
  LAST_ACK: 9,
  LISTEN: 10,
  CLOSING: 11,
  NEW_SYN_RECV: 12,
  BOUND_INACTIVE: 13,
} as const;

const NAMES: (TcpState | undefined)[] = [];
for (const [name, number] of Object.entries(TCP_STATE)) NAMES[number] = name as TcpState;

export const tcpStateName = (number: number): TcpState | undefined => NAMES[number];

/**
 * One end of a connection. IPv4-mapped IPv6 addresses are written as IPv4. A capture may name hosts instead, and ports by
 * names that nobody here knows: those have a number below 0, and the snapshot's services name them.
 */
export type Endpoint = { address: string; port: number };

/** Bounds of the time since a socket entered CLOSE_WAIT, in milliseconds. A bound that is not known is absent. */
export type AgeRange = { atLeastMs?: number; atMostMs?: number };

export type TcpTimer = 'none' | 'retransmit' | 'keepalive' | 'timewait' | 'zero-window-probe';

/**
 * One TCP socket that is not listening. `inode` is absent when no file belongs to it: nobody has accepted it. Only captures
 * leave out queues and timers.
 */
export type TcpSocket = {
  /** Inode of the namespace; 0 in a capture, which does not tell. */
  netns: number;
  family: 4 | 6;
  state: TcpState;
  local: Endpoint;
  peer: Endpoint;
  recvQueue?: number;
  sendQueue?: number;
  timer?: TcpTimer;
  timerMs?: number | undefined;
  uid?: number;
  inode?: number;
  /** A capture does not tell the inode, and another number stands for it. */
  inodeUnknown?: true;
  cookie?: bigint;
  cgroupId?: bigint;
  /** Since any acknowledgement came from the peer (tcpi_last_ack_recv). */
  lastAckReceivedMs?: number;
  /** Since data came from the peer; since the connection began when none ever came (tcpi_last_data_recv). */
  lastDataReceivedMs?: number;
  /** Since this side sent data (tcpi_last_data_sent). */
  lastDataSentMs?: number;
  /**
   * Bytes of ours that the peer has acknowledged (tcpi_bytes_acked, RFC 4898), modulo 2^32. On a connection that this side
   * opened, the SYN counts one.
   */
  bytesAcked?: number | undefined;
  /** Bytes that came from the peer (tcpi_bytes_received), modulo 2^32. */
  bytesReceived?: number | undefined;
  /** Whether SO_KEEPALIVE is on. `keepaliveOf` tells it from the timer where this is absent. */
  keepalive?: boolean | undefined;
  /** Whether SO_LINGER is on. */
  linger?: boolean | undefined;
  /** Whether its file is in an epoll set: an event loop knows it, with whatever interest. */
  inEpoll?: boolean | undefined;
  /** Whether a thread or an epoll set waits on it at this moment. */
  awaited?: boolean | undefined;
  /** Directions that are shut down: by the peer's FIN (receive), or by this side. */
  shutdown?: 'receive' | 'send' | 'both' | undefined;
  /** An earlier capture, so long before, showed it in CLOSE_WAIT already. */
  seenAgoMs?: number;
  /** An earlier capture, so long before, did not show it. */
  cameWithinMs?: number;
  /** A capture that names processes names none for it, and does not tell whether a file belongs to it. */
  noHolderShown?: true;
  /** The error that the next call on it would return, as a number (errno.h); absent when there is none. */
  error?: number | undefined;
};

/** A listening socket with its accept queue: connections that wait for accept(2), and how many may. */
export type Listener = {
  netns: number;
  family: 4 | 6;
  local: Endpoint;
  queue: number;
  /** A capture does not tell the queue, and `queue` is 0 for want of a number. */
  queueUnknown?: true;
  /** Absent when only the text files could be read. */
  limit?: number;
  uid?: number;
  inode?: number;
  cgroupId?: bigint;
};

/** What tells a socket without a file from others. */
export const endsOf = ({ netns, local, peer }: TcpSocket): string =>
  `${netns} ${local.address} ${local.port} ${peer.address} ${peer.port}`;

/**
 * Whether SO_KEEPALIVE is on, as far as the pending timer tells: a keepalive timer is proof, no timer at all is
 * proof of the opposite, and a retransmission or window probe hides it.
 */
export function keepaliveOf(socket: TcpSocket): boolean | undefined {
  if (socket.keepalive !== undefined) return socket.keepalive;
  if (socket.timer === 'keepalive') return true;
  return socket.timer === 'none' ? false : undefined;
}
