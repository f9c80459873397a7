import type { Listener, TcpSocket } from '../../model/socket.ts';
import { keepaliveOf } from '../../model/socket.ts';
import type { Setting } from '../../model/tune.ts';
import { formatDuration, formatNumber, plural } from '../../model/words.ts';
import { ListenerIndex } from '../listeners.ts';

/** What the sockets in CLOSE_WAIT of one namespace have to do with its parameters. */
export type Facts = {
  closeWait: number;
  keepalive: { on: number; off: number; unknown: number };
  /** Until the pending keepalive timers go off, of the first and the last. */
  timersMs?: { first: number; last: number };
  /** Sockets with data that the peer has not acknowledged. */
  unsent: number;
  /** Outbound ones, which use up local ports. */
  outbound: number;
  /** Accept queues with connections that nobody has accepted. */
  backlogs: { queue: number; limit?: number }[];
  files?: { open: number; limit: number };
};

export function factsOf(
  sockets: readonly TcpSocket[],
  listeners: readonly Listener[],
  files: Facts['files'] | undefined,
): Facts {
  const index = new ListenerIndex([...listeners]);
  const keepalive = { on: 0, off: 0, unknown: 0 };
  const timers: number[] = [];
  const backlogs = new Set<Listener>();
  let unsent = 0;
  let outbound = 0;
  for (const socket of sockets) {
    const on = keepaliveOf(socket);
    keepalive[on === undefined ? 'unknown' : on ? 'on' : 'off']++;
    if (socket.timer === 'keepalive' && socket.timerMs !== undefined) timers.push(socket.timerMs);
    if ((socket.sendQueue ?? 0) > 0) unsent++;
    const listener = index.of(socket);
    if (!listener) outbound++;
    else if (socket.inode === undefined) backlogs.add(listener);
  }
  const first = timers.reduce((least, it) => Math.min(least, it), Number.POSITIVE_INFINITY);
  return {
    closeWait: sockets.length,
    keepalive,
    ...(timers.length > 0 && { timersMs: { first, last: timers.reduce((most, it) => Math.max(most, it), 0) } }),
    unsent,
    outbound,
    backlogs: [...backlogs].map(({ queue, limit }) => ({ queue, ...(limit !== undefined && { limit }) })),
    ...(files && { files }),
  };
}

type Meaning = Pick<Setting, 'bearing' | 'reach' | 'means'>;

/** What each parameter does to the sockets at hand, and what it does not. */
export function meaningOf(name: string, facts: Facts): Meaning {
  const meaning = MEANINGS[name];
  if (!meaning) throw new Error(`no meaning of ${name}`);
  return meaning(facts);
}

const MEANINGS: Record<string, (facts: Facts) => Meaning> = {
  'net.ipv4.tcp_keepalive_time': (facts) => ({
    ...keepaliveReach(facts),
    means: `${keepaliveCount(facts)}${pendingTimers(facts)}. A peer that is gone then ends the connection; one that is still there keeps it for ever. The descriptor stays open: closed-but-held`,
  }),
  'net.ipv4.tcp_keepalive_intvl': (facts) => ({
    ...keepaliveReach(facts),
    means: 'between probes that nobody answers; the same sockets',
  }),
  'net.ipv4.tcp_keepalive_probes': (facts) => ({
    ...keepaliveReach(facts),
    means: 'unanswered probes until the connection ends; the same sockets',
  }),
  'net.ipv4.tcp_retries2': ({ unsent, closeWait }) => ({
    bearing: 'reaches',
    reach: { sockets: unsent, of: closeWait },
    means:
      unsent === 0
        ? 'only for data that the peer does not acknowledge: none of them has any'
        : `${unsent} of ${formatNumber(closeWait)} ${unsent === 1 ? 'has' : 'have'} sent data that was not acknowledged: how long that is tried. The descriptor stays open`,
  }),
  'net.core.somaxconn': ({ backlogs }) => ({
    bearing: 'buys-time',
    means:
      backlogs.length === 0
        ? 'how long an accept queue may be: none holds a connection in CLOSE_WAIT'
        : `${plural(backlogs.length, 'accept queue holds', 'accept queues hold')} connections that nobody accepts (${backlogs.map(({ queue, limit }) => `${queue} of ${limit ?? '?'}`).join(', ')}). A longer queue fills up as well, and a program must call listen() again to get it`,
  }),
  'net.ipv4.ip_local_port_range': ({ outbound, closeWait }) => ({
    bearing: 'buys-time',
    means:
      outbound === 0
        ? 'ports for outbound connections: none of these is one'
        : `${formatNumber(outbound)} of ${formatNumber(closeWait)} are outbound and keep a port each. More ports fill up as well`,
  }),
  'net.ipv4.tcp_fin_timeout': () => ({
    bearing: 'folklore',
    means:
      'is about FIN_WAIT2, the other end of it: connections that this machine has closed. CLOSE_WAIT has no time-out',
  }),
  'net.ipv4.tcp_max_syn_backlog': () => ({
    bearing: 'folklore',
    means: 'is about connections that are not made yet (SYN_RECV). CLOSE_WAIT comes at their end',
  }),
  'net.ipv4.tcp_tw_reuse': () => ({
    bearing: 'folklore',
    means: 'is about TIME_WAIT, which comes after close(). A socket in CLOSE_WAIT was never closed',
  }),
  'fs.file-max': ({ files }) => ({
    bearing: 'buys-time',
    means: files
      ? `files of the whole machine: ${formatNumber(files.open)} are open. The limit of a process comes much earlier`
      : 'files of the whole machine. The limit of a process comes much earlier',
  }),
  'fs.nr_open': () => ({
    bearing: 'buys-time',
    means: 'how high the descriptor limit of a process can be set; it sets none',
  }),
};

const keepaliveReach = ({ keepalive, closeWait }: Facts): Meaning => ({
  bearing: 'reaches',
  ...(keepalive.unknown === 0 && { reach: { sockets: keepalive.on, of: closeWait } }),
  means: '',
});

function keepaliveCount({ keepalive: { on, unknown }, closeWait }: Facts): string {
  if (closeWait === 0) return 'acts on connections with keepalive on (SO_KEEPALIVE); nothing is in CLOSE_WAIT here';
  const some = `${formatNumber(on)} of ${formatNumber(closeWait)} ${on === 1 ? 'has' : 'have'} keepalive on`;
  if (unknown > 0) return `${some}, of ${formatNumber(unknown)} it is not known: a change reaches at most these`;
  if (on === 0) return `${some}: a change reaches none`;
  return `${some}: a change reaches at most ${on === 1 ? 'this one' : `these ${formatNumber(on)}`}, not where the program has set times of its own (TCP_KEEPIDLE)`;
}

/** tcp_keepalive_timer (net/ipv4/tcp_timer.c) looks at the parameter when it goes off, and not before. */
function pendingTimers({ timersMs }: Facts): string {
  if (!timersMs) return '';
  const { first, last } = timersMs;
  const span = formatDuration(last) === formatDuration(first) ? '' : ` to ${formatDuration(last)}`;
  return `; and only when the pending timers go off, in ${formatDuration(first)}${span}`;
}
