import type { TcpTimer } from '../../model/socket.ts';
import { endsOf, type PortNames } from './endpoint.ts';
import type { CapturedHolder, CaptureRow, LineReading } from './row.ts';
import { parseCutState, parseState } from './state.ts';

const ROW = /^\s*(tcp6?)\s+([0-9]+)\s+([0-9]+)\s+(\S+)\s+(\S+)(?:\s+(\S.*))?$/;
const OTHER = /^\s*(?:(?:udp|raw|udplite|icmp|sctp|mptcp|dccp)[46L]?6?\s+[0-9]+\s+[0-9]+\s+\S+|unix\s+[0-9]+\s+\[)/;

/**
 * A row of netstat on Linux (net-tools and BusyBox): Proto Recv-Q Send-Q Local Foreign State, then with -e User and
 * Inode, with -p PID/Program name, with -o Timer.
 */
export function readNetstatLine(text: string, line: number, ports: PortNames): LineReading {
  const match = ROW.exec(text);
  if (!match) return OTHER.test(text) ? 'noise' : undefined;
  const [, protocol, recvQueue, sendQueue, local = '', foreign = '', rest = ''] = match;
  const ends = endsOf(local, foreign, ':', ports);
  if (!ends) return undefined;
  const [word = '', after = ''] = splitFirst(rest);
  const state = parseState(word);
  if (state === undefined && !(after === '' && parseCutState(word))) return undefined;
  const cut = state === undefined;
  return {
    line,
    ...ends,
    family: protocol === 'tcp6' ? 6 : 4,
    state: state ?? parseCutState(word) ?? 'CLOSE',
    recvQueue: Number(recvQueue),
    sendQueue: Number(sendQueue),
    ...(cut ? { incomplete: true as const } : readRest(after)),
  };
}

function splitFirst(text: string): [string, string] {
  const end = text.search(/\s/);
  return end < 0 ? [text, ''] : [text.slice(0, end), text.slice(end).trim()];
}

const TIMER = /(?:^|\s)(off|on[0-9]*|keepalive|timewait|probe|unkn-[0-9]+)\s+\(([0-9.]+)\/[0-9]+\/[0-9]+\)\s*$/;
const OWNER = /^(\S+)\s+([0-9]+)(?:\s+(.*))?$/;

type Rest = Pick<CaptureRow, 'timer' | 'timerMs' | 'user' | 'uid' | 'inode' | 'holders' | 'incomplete'>;

function readRest(text: string): Rest {
  const timer = TIMER.exec(text);
  const before = (timer ? text.slice(0, timer.index) : text).trim();
  const owner = /^[0-9]+\/|^-/.test(before) ? undefined : OWNER.exec(before);
  const process = owner ? (owner[3] ?? '') : before;
  const holders = readProgram(process);
  return {
    ...(timer && readTimer(timer[1] ?? '', Number(timer[2]))),
    ...(owner && { ...whose(owner[1] ?? ''), inode: Number(owner[2]) }),
    ...(holders && { holders }),
    // A number alone is a pid whose program went to the next line.
    ...(!holders && process !== '' && { incomplete: true as const }),
  };
}

const whose = (user: string): { uid: number } | { user: string } =>
  /^[0-9]+$/.test(user) ? { uid: Number(user) } : { user };

function readProgram(text: string): CapturedHolder[] | undefined {
  if (text === '-') return [];
  const match = /^([0-9]{1,10})\/(.*)$/.exec(text);
  if (!match) return undefined;
  const name = match[2]?.trim();
  return [{ pid: Number(match[1]), ...(name && { name }) }];
}

// net-tools: lib/inet_gr.c prints `on` for a retransmission timer.
const TIMERS: Record<string, TcpTimer> = {
  off: 'none',
  on: 'retransmit',
  keepalive: 'keepalive',
  timewait: 'timewait',
  probe: 'zero-window-probe',
};

function readTimer(word: string, seconds: number): { timer?: TcpTimer; timerMs?: number } {
  const timer = TIMERS[word.replace(/[0-9]+$/, '')];
  if (timer === undefined) return {};
  return { timer, ...(timer !== 'none' && { timerMs: Math.round(seconds * 1000) }) };
}
