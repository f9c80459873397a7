import { endsOf, type PortNames } from './endpoint.ts';
import type { CapturedHolder, CaptureRow, LineReading } from './row.ts';
import { parseCutState, parseState } from './state.ts';

const FD = /^\*?([0-9]{1,10})[rwu]?[-a-zA-Z]{0,2}$/;
const ANY_FD =
  /^(?:\*?[0-9]+[rwu]?[-a-zA-Z]{0,2}|cwd|rtd|txt|mem|mmap|DEL|NOFD|err|ltx|pd|jld|twd|fp\.?|L[0-9]+|m[0-9]+)$/;
const TYPE =
  /^(?:REG|DIR|CHR|BLK|FIFO|LINK|unix|a_inode|netlink|sock|pack|raw6?|KQUEUE|PIPE|PSXSHM|PSXSEM|NPOLICY|ATALK|CHAN|systm|ndrv|key|rte|PROCSCM|FSEVENT|unknown|VREG|VDIR|VCHR|0[0-9]{3}|[A-Z]{3,8}|IPv[46]|inet6?|DEL|VNON|eventfd|eventpoll|pidfd|\[[a-z].*)$/;
/** Further than this no column begins: COMMAND PID TID TASKCMD PPID PGID USER FD TYPE, with spaces in a TASKCMD. */
const MOST_COLUMNS = 16;

/**
 * A row of lsof: COMMAND PID [TID TASKCMD] [PPID] [PGID] USER FD TYPE DEVICE SIZE/OFF NODE NAME. Found by the columns
 * that cannot be mistaken, a descriptor before IPv4 or IPv6, for those before them vary.
 */
export function readLsofLine(text: string, line: number, ports: PortNames): LineReading {
  const words = text.trim().split(/\s+/, MOST_COLUMNS + 8);
  if (!/^[0-9]{1,10}$/.test(words[1] ?? '')) return undefined;
  const at = words.findIndex(
    (word, i) => i >= 3 && i < MOST_COLUMNS && isInternet(word) && FD.test(words[i - 1] ?? ''),
  );
  if (at < 0) return readOther(words, line);
  const holder = readHolder(words, at);
  const device = words[at + 1];
  const node = words.indexOf('TCP', at + 1);
  if (node < 0 || node > at + 3) return words.indexOf('UDP', at) > 0 || words.length > at + 3 ? 'noise' : undefined;
  const name = readName(words.slice(node + 1).join(' '), ports);
  if (!name || !holder) return undefined;
  return {
    line,
    ...inFamily(name, /6$/.test(words[at] ?? '') ? 6 : 4),
    ...(device !== undefined && node > at + 1 && readDevice(device)),
    holders: [holder],
  };
}

const isInternet = (word: string): boolean => /^(?:IPv[46]|inet6?)$/.test(word);

function readHolder(words: string[], type: number): CapturedHolder | undefined {
  const fd = FD.exec(words[type - 1] ?? '')?.[1];
  const user = words[type - 2];
  const pid = Number(words[1]);
  if (fd === undefined || type < 4) return undefined;
  return {
    pid,
    // `grep -n` puts its number right before the name.
    name: unescapeName((words[0] ?? '').replace(/^[0-9]{1,7}:(?=.)/, '')),
    fd: Number(fd),
    ...(user !== undefined && type > 3 && (/^[0-9]+$/.test(user) ? { uid: Number(user) } : { user })),
  };
}

/** lsof prints what it takes for unprintable, spaces among them, as \x20. */
export const unescapeName = (text: string): string =>
  text.replace(/\\x([0-9a-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));

/** Linux prints the inode as DEVICE of a socket, other systems the kernel's address of it. */
export function readDevice(text: string): Pick<CaptureRow, 'inode' | 'device'> {
  if (/^[0-9]{1,15}$/.test(text)) return { inode: Number(text) };
  return /^0x[0-9a-f]+$/i.test(text) ? { device: text } : {};
}

// `protocol: TCP`: the descriptor of a connection that has ended. NODE is the inode on Linux.
function readOther(words: string[], line: number): LineReading {
  const at = words.findIndex(
    (word, i) => i >= 3 && i < MOST_COLUMNS && ANY_FD.test(words[i - 1] ?? '') && TYPE.test(word),
  );
  if (at < 0) return undefined;
  const closed = /protocol: TCP(?:v6)?$/.test(words.slice(at).join(' '));
  const holder = closed ? readHolder(words, at) : undefined;
  if (!holder) return 'noise';
  const inode = Number(words[at + 3]);
  return { line, closed: true, holders: [holder], ...(Number.isSafeInteger(inode) && { inode }) };
}

/** TYPE tells the family; `*` is any address of it. */
export function inFamily<T extends Pick<CaptureRow, 'local'>>(row: T, family: 4 | 6): T & { family: 4 | 6 } {
  const { local } = row;
  const any = family === 6 && local?.address === '0.0.0.0' ? { local: { ...local, address: '::' } } : {};
  return { ...row, ...any, family };
}

/** `local->peer (STATE QR=1 QS=0)`; with +E the other end's process follows. */
export function readName(
  text: string,
  ports: PortNames,
): Omit<CaptureRow, 'line' | 'holders' | 'inode' | 'device'> | undefined {
  const match = /^(\S+?)(?:->(\S+))?(?:\s+[0-9]+,\S+)*(?:\s+\(([^)]*)(\))?.*)?$/.exec(text);
  const [, local = '', peer = '*:*', inBrackets, closing] = match ?? [];
  const ends = match ? endsOf(local, peer, ':', ports) : undefined;
  if (!ends) return undefined;
  const [word = '', ...flags] = (inBrackets ?? '').split(' ');
  // `(CLOSE` may go on as `_WAIT)`.
  const state = closing === undefined ? parseCutState(word) : parseState(word);
  const queue = (key: string): number | undefined => {
    const found = flags.find((flag) => flag.startsWith(key));
    return found === undefined ? undefined : Number(found.slice(key.length));
  };
  const [recvQueue, sendQueue] = [queue('QR='), queue('QS=')];
  return {
    ...ends,
    ...(state && { state }),
    ...(recvQueue !== undefined && Number.isSafeInteger(recvQueue) && { recvQueue }),
    ...(sendQueue !== undefined && Number.isSafeInteger(sendQueue) && { sendQueue }),
    ...(closing === undefined && { incomplete: true as const }),
  };
}
