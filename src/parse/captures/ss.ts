import type { TcpState } from '../../model/socket.ts';
import { endsOf, type PortNames } from './endpoint.ts';
import type { CaptureRow, LineReading } from './row.ts';
import { readDetails } from './ss-details.ts';
import { parseState } from './state.ts';

const NETIDS =
  'tcp|udp|raw|icmp6?|u_str|u_dgr|u_seq|nl|p_raw|p_dgr|dccp|sctp|mptcp|v_str|v_dgr|xdp|tipc|ax25|ieee802154|unknown|\\?\\?\\?';
const STATES =
  'ESTAB|SYN-SENT|SYN-RECV|FIN-WAIT-1|FIN-WAIT-2|TIME-WAIT|UNCONN|CLOSE-WAIT|LAST-ACK|LISTEN|CLOSING|NEW-SYN-RECV|BOUND-INACTIVE|CLOSED|UNKNOWN';
const ROW = new RegExp(
  `^\\s*(?:(${NETIDS})\\s+)?(?:(${STATES})\\s+)?([0-9]+)\\s+([0-9]+)\\s+(\\S+)\\s+(\\S+)(?:\\s+(\\S.*))?$`,
);
const OTHER = new RegExp(`^\\s*(?!tcp)(?:${NETIDS})\\s+(?:(?:${STATES})\\s+)?[0-9]+\\s+[0-9]+\\s`);

/**
 * A row of ss: Netid (when several kinds were asked for) State Recv-Q Send-Q Local Peer, and details behind. ss leaves
 * the State column out when it was asked for one state; `only` is that state, where the command is known.
 */
export function readSsLine(text: string, line: number, ports: PortNames, only?: TcpState): LineReading {
  if (OTHER.test(text)) return 'noise';
  const match = ROW.exec(text);
  if (!match) return undefined;
  const [, netid, word, recvQueue, sendQueue, local = '', peer = '', rest = ''] = match;
  if (netid !== undefined && netid !== 'tcp') return 'noise';
  // A row of netstat has its state behind the addresses.
  if (word === undefined && parseState(rest.split(/\s/, 1)[0] ?? '')) return undefined;
  const ends = endsOf(local, peer, ':', ports);
  if (!ends) return undefined;
  const state = word === undefined ? (ends.peer ? only : 'LISTEN') : parseState(word);
  return {
    line,
    ...ends,
    ...(state && { state }),
    recvQueue: Number(recvQueue),
    sendQueue: Number(sendQueue),
    ...readDetails(rest),
  };
}

const DETAILS =
  /^\s*(?:users:\(\(|timer:\(|uid:[0-9]|ino:[0-9]|sk:[0-9a-f]|cgroup:|skmem:\(|v6only:|inet-ipv6|fwmark:|tcp-ulp-|class_id|ts\s|sack\s|ecn|bbr|cubic|reno|dctcp|vegas|westwood|htcp|wscale:|rto:|rtt:|mss:|cwnd:|bytes_|segs_|lastsnd:|send\s[0-9]|opt:\(|---|--|<->|-->|<--)/;
const INFO =
  /(?:^|\s)(?:rto|cwnd|lastrcv|lastsnd|lastack|mss|rcv_space|minrtt|pacing_rate|bytes_received|segs_in):?[\s:]?[0-9]/;

/** The second line of a row (ss -i, or a wrapped one): its details are put into the row. */
export function addSsDetails(row: CaptureRow, text: string): boolean {
  if (!DETAILS.test(text) && !INFO.test(text)) return false;
  Object.assign(row, readDetails(text));
  return true;
}

/** The state in a filter such as `ss -tn state close-wait`; nothing when several were asked for. */
export function stateFilterOf(command: string): TcpState | undefined {
  const states = [...command.matchAll(/(?:^|\s)state\s+([\w-]+)/g)].map((match) => parseState(match[1] ?? ''));
  return states.length === 1 ? states[0] : undefined;
}
