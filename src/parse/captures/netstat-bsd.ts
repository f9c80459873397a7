import { endsOf, type PortNames, parseEnd } from './endpoint.ts';
import type { CapturedHolder, LineReading } from './row.ts';
import { parseState } from './state.ts';

const ROW = /^\s*(?:[0-9a-f]{8,16}\s+)?(tcp(?:4|6|46)?)\s+([0-9]+)\s+([0-9]+)\s+(\S+)\s+(\S+)(?:\s+(\S.*))?$/;
const LISTEN_QUEUE = /^\s*(tcp(?:4|6|46)?)\s+([0-9]+)\/([0-9]+)\/([0-9]+)\s+(\S+)\s*$/;
const OTHER = /^\s*(?:[0-9a-f]{8,16}\s+)?(?:udp|icm?p?|icmp|div|ip)(?:4|6|46)?\s+[0-9]+\s+[0-9]+\s+\S+\.\S+/;
const LOCAL_OR_CONTROL = /^\s*(?:[0-9a-f]{8,16}\s+(?:stream|dgram|seqpac)|kctl|kevt|unix|[0-9]+\s+(?:stream|dgram))\s/;

/** A row of netstat on macOS or a BSD: `address.port`, with more columns behind the state when asked with -v. */
export function readBsdLine(text: string, line: number, ports: PortNames): LineReading {
  const match = ROW.exec(text);
  if (!match) return readListenQueue(text, line, ports);
  const [, protocol, recvQueue, sendQueue, local = '', foreign = '', rest = ''] = match;
  const [word = ''] = rest.split(/\s/, 1);
  const state = parseState(word);
  const ends = foreign.includes(':') && !foreign.includes('.') ? undefined : endsOf(local, foreign, '.', ports);
  if (!state || !ends) return undefined;
  const holders = readProcess(rest.slice(word.length));
  return {
    line,
    ...ends,
    family: protocol === 'tcp4' ? 4 : protocol === 'tcp' ? (ends.family ?? 4) : 6,
    state,
    recvQueue: Number(recvQueue),
    sendQueue: Number(sendQueue),
    ...(holders && { holders }),
  };
}

// netstat -L (FreeBSD, macOS): unaccepted / incomplete / maximum.
function readListenQueue(text: string, line: number, ports: PortNames): LineReading {
  const match = LISTEN_QUEUE.exec(text);
  if (!match) return OTHER.test(text) || LOCAL_OR_CONTROL.test(text) ? 'noise' : undefined;
  const end = parseEnd(match[5] ?? '', '.', ports);
  if (!end) return undefined;
  return {
    line,
    family: match[1] === 'tcp4' ? 4 : 6,
    state: 'LISTEN',
    local: { address: end.any && match[1] !== 'tcp4' ? '::' : end.address, port: end.port },
    recvQueue: Number(match[2]),
    sendQueue: Number(match[4]),
  };
}

// macOS -v: rhiwat shiwat pid epid state options ..., in later versions rxbytes txbytes rhiwat shiwat process:pid state
// options ..., where a process's name may hold spaces.
const NAMED = /^(?:\s+[0-9]+){4}\s+(\S.*?):([0-9]+)\s+[0-9a-f]{4,}\s+[0-9a-f]{8}/;
const NUMBERED = /^\s+[0-9]+\s+[0-9]+\s+([0-9]+)\s+[0-9]+\s+(?:0x)?[0-9a-f]+/;

function readProcess(text: string): CapturedHolder[] | undefined {
  const named = NAMED.exec(text);
  if (named) return readPid(named[2] ?? '', named[1]);
  const numbered = NUMBERED.exec(text);
  return numbered ? readPid(numbered[1] ?? '') : undefined;
}

const readPid = (text: string, name?: string): CapturedHolder[] =>
  Number(text) === 0 ? [] : [{ pid: Number(text), ...(name !== undefined && { name }) }];
