import { endsOf, type PortNames } from './endpoint.ts';
import type { CaptureRow, LineReading } from './row.ts';
import { parseState } from './state.ts';

// Since util-linux 2.39 TYPE is the protocol and NAME tells the rest; before, NAME was `TCP:[inode]`.
const TCP_TYPE = /^TCP(?:v6)?$/;
const FLAGS = /^[-r][-w][-x][-DLlm]*$/;

// Line numbers and time stamps, which would otherwise be part of the name.
const BEFORE_NAME = /^(?:[0-9]{1,7}(?::(?=.)| )|[0-9T:.Z+-]*[0-9]{2}:[0-9]{2}:[0-9]{2}\S* )/;

/**
 * A row of lsfd: COMMAND PID USER ASSOC XMODE TYPE SOURCE MNTID INODE NAME. Columns are found by the flags in XMODE, for
 * names of commands hold spaces.
 */
export function readLsfdLine(text: string, line: number, ports: PortNames): LineReading {
  const words = text.trim().split(/\s+/);
  const mode = words.findIndex((word, i) => i >= 4 && FLAGS.test(word));
  if (mode < 0 || words.length < mode + 5) return undefined;
  const [pid = '', user = '', assoc = ''] = words.slice(mode - 3, mode);
  const [type = '', , mountId = '', inode = '', ...name] = words.slice(mode + 1);
  if (!/^[0-9]{1,10}$/.test(pid) || !/^[0-9]+$/.test(mountId) || !/^[0-9]{1,15}$/.test(inode)) return undefined;
  const record = {
    command: words
      .slice(0, mode - 3)
      .join(' ')
      .replace(BEFORE_NAME, ''),
    pid: Number(pid),
    user,
    assoc,
    type,
    name: name.join(' '),
  };
  return rowOfLsfd({ ...record, inode: Number(inode) }, line, ports) ?? 'noise';
}

export type LsfdRecord = {
  command?: string;
  pid?: number;
  user?: string;
  assoc?: string;
  type?: string;
  name?: string;
  inode?: number;
  state?: string;
  local?: string;
  peer?: string;
};

/** The socket of a descriptor that lsfd lists, when it is one of TCP. */
export function rowOfLsfd(record: LsfdRecord, line: number, ports: PortNames): CaptureRow | undefined {
  const { command, pid, user, assoc, type = '', name = '', inode } = record;
  const isTcp = TCP_TYPE.test(type) || /^TCP(?:v6)?:\[[0-9]+\]$/.test(name);
  if (!isTcp || pid === undefined) return undefined;
  const field = (key: string): string | undefined => new RegExp(`(?:^| )${key}=(\\S+)`).exec(name)?.[1];
  const state = parseState(record.state ?? field('state') ?? '');
  const local = record.local ?? field('laddr');
  const peer = record.peer ?? field('raddr') ?? '*:*';
  const ends = local === undefined ? undefined : endsOf(local, state === 'LISTEN' ? '*:*' : peer, ':', ports);
  const fd = Number(assoc);
  return {
    line,
    ...ends,
    ...(/v6/.test(type) || /^TCPv6/.test(name) ? { family: 6 as const } : {}),
    ...(state && { state }),
    ...(inode !== undefined && { inode }),
    holders: [
      {
        pid,
        ...(command && { name: command }),
        ...(user && (/^[0-9]+$/.test(user) ? { uid: Number(user) } : { user })),
        ...(assoc && Number.isSafeInteger(fd) && { fd }),
      },
    ],
  };
}
