import type { TcpTimer } from '../../model/socket.ts';
import type { CapturedHolder, CaptureRow } from './row.ts';

type Details = Omit<CaptureRow, 'line' | 'local' | 'peer' | 'recvQueue' | 'sendQueue' | 'state' | 'family'>;

/** What stands behind the addresses of an ss row, in any mix of -p, -o, -e and -i. */
export function readDetails(text: string): Details {
  if (text === '') return {};
  const users = readUsers(text);
  const rest = users.rest;
  const timer = readTimer(rest);
  const inode = numberAt(rest, INO);
  const cookie = COOKIE.exec(rest)?.[1];
  // ss -e leaves uid:0 out (misc/ss.c: proc_ctx_print).
  const uid = numberAt(rest, UID) ?? (inode !== undefined && inode > 0 ? 0 : undefined);
  return {
    ...(users.holders && { holders: users.holders }),
    ...(users.cut && { incomplete: true as const }),
    ...timer,
    ...(inode !== undefined && { inode }),
    ...(uid !== undefined && { uid }),
    ...(cookie !== undefined && { cookie: BigInt(`0x${cookie}`) }),
    ...lastTimes(rest),
  };
}

const INO = /(?:^|\s)ino:([0-9]{1,15})\b/;
const UID = /(?:^|\s)uid:([0-9]{1,10})\b/;
// Older versions print the kernel's address of the socket, ffff..., which is no cookie.
const COOKIE = /(?:^|\s)sk:(?!ffff)([0-9a-f]{1,15})\b/;

const numberAt = (text: string, pattern: RegExp): number | undefined => {
  const found = pattern.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
};

// Not printed when it is 0: with -i, a time that is missing is 0.
function lastTimes(text: string): Details {
  if (!/(?:^|\s)(?:rto:|cwnd:|lastsnd:|lastrcv:|lastack:)/.test(text)) return {};
  const sent = numberAt(text, /(?:^|\s)lastsnd:([0-9]{1,12})\b/);
  const data = numberAt(text, /(?:^|\s)lastrcv:([0-9]{1,12})\b/);
  const ack = numberAt(text, /(?:^|\s)lastack:([0-9]{1,12})\b/);
  if (sent === undefined && data === undefined && ack === undefined) return {};
  return { lastDataSentMs: sent ?? 0, lastDataReceivedMs: data ?? 0, lastAckReceivedMs: ack ?? 0 };
}

// tcp_timer and the units of print_ms_timer in misc/ss.c.
const TIMERS: Record<string, TcpTimer> = {
  on: 'retransmit',
  keepalive: 'keepalive',
  timewait: 'timewait',
  persist: 'zero-window-probe',
};
const UNITS: Record<string, number> = { ms: 1, sec: 1000, min: 60_000, hour: 3_600_000, day: 86_400_000 };

function readTimer(text: string): { timer?: TcpTimer; timerMs?: number } {
  const match = /(?:^|\s)timer:\((\w+),([0-9a-z.]*),/.exec(text);
  const timer = TIMERS[match?.[1] ?? ''];
  if (!match || timer === undefined) return {};
  let timerMs = 0;
  for (const [, number, unit = ''] of (match[2] ?? '').matchAll(/([0-9.]+)(ms|sec|min|hour|day)/g)) {
    timerMs += Number(number) * (UNITS[unit] ?? 0);
  }
  return { timer, ...(Number.isFinite(timerMs) && { timerMs: Math.round(timerMs) }) };
}

type Users = { holders?: CapturedHolder[]; cut?: boolean; rest: string };

// ("name",pid=812,fd=5); before iproute2 4: ("name",812,5). With -T there is tid=, with -Z contexts. A name may hold anything.
const USER =
  /^\("((?:[^"]|"(?!,(?:pid=)?[0-9]))*)",(?:pid=)?([0-9]{1,10}),(?:tid=[0-9]+,)?(?:proc_ctx=[^,)]*,)?(?:fd=)?([0-9]{1,10})(?:,[^)]*)?\)/;

function readUsers(text: string): Users {
  const start = text.indexOf('users:(');
  if (start < 0) return { rest: text };
  const holders: CapturedHolder[] = [];
  let at = start + 'users:('.length;
  while (at < text.length) {
    const part = text.slice(at, at + LONGEST_USER);
    const match = USER.exec(part);
    if (!match) break;
    const [all, name = '', pid, fd] = match;
    if (!holders.some((it) => it.pid === Number(pid) && it.fd === Number(fd))) {
      holders.push({ pid: Number(pid), name, fd: Number(fd) });
    }
    at += all.length;
    if (text[at] === ',') at++;
  }
  const cut = text[at] !== ')';
  return {
    ...((holders.length > 0 || !cut) && { holders }),
    cut,
    rest: text.slice(0, start) + (cut ? '' : text.slice(at + 1)),
  };
}

/** A name has 15 characters (TASK_COMM_LEN), numbers at most 10; a security context may be long. */
const LONGEST_USER = 600;
