import type { PortNames } from './endpoint.ts';
import { rowOfLsfd } from './lsfd.ts';
import { type Descriptor, rowOf } from './lsof-fields.ts';
import type { CapturedHolder, CaptureFormat, CaptureRow } from './row.ts';

type Json = Record<string, unknown>;

/**
 * The row of a record of `lsof -J` (files within processes), `lsof -j` (one record a line) or `lsfd -J`; `noise` for
 * what is no TCP socket, nothing for JSON of another kind.
 */
export function readJsonRecord(
  record: Json,
  around: Json | undefined,
  line: number,
  ports: PortNames,
): { format: CaptureFormat; row?: CaptureRow } | undefined {
  if (text(record, 'assoc') !== undefined) {
    const row = rowOfLsfd(lsfdRecord(record), line, ports);
    return { format: 'lsfd-json', ...(row && { row }) };
  }
  if (Array.isArray(record.lsfd)) return { format: 'lsfd-json' };
  // The objects that enclose the files end after them.
  if (Array.isArray(record.files) || Array.isArray(record.processes)) return { format: 'lsof-json' };
  const process = holderOf(record) ?? (around && holderOf(around));
  if (!process || text(record, 'fd') === undefined) return undefined;
  const row = rowOf(process, descriptorOf(record, line), ports);
  return { format: 'lsof-json', ...(row && { row }) };
}

/** lsof writes numbers that may be large as text, and lsfd all of them in some versions. */
function text(record: Json, key: string): string | undefined {
  const value = record[key];
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
}

function number(record: Json, key: string): number | undefined {
  const value = text(record, key);
  return value !== undefined && /^[0-9]{1,15}$/.test(value) ? Number(value) : undefined;
}

function holderOf(record: Json): CapturedHolder | undefined {
  const pid = number(record, 'pid');
  if (pid === undefined) return undefined;
  const [name, user, uid] = [text(record, 'command'), text(record, 'login'), number(record, 'uid')];
  return {
    pid,
    ...(name !== undefined && { name }),
    ...(user !== undefined && { user }),
    ...(uid !== undefined && { uid }),
  };
}

function descriptorOf(record: Json, line: number): Descriptor {
  const known = record.tcp_info;
  const tcp = typeof known === 'object' && known !== null ? (known as Json) : {};
  const found: [keyof Descriptor, string | undefined][] = [
    ['fd', text(record, 'fd')],
    ['type', text(record, 'type')],
    ['device', text(record, 'device')],
    ['inode', text(record, 'inode')],
    ['protocol', text(record, 'protocol')],
    ['name', text(record, 'name')],
    ['state', text(tcp, 'state')],
    ['recvQueue', text(tcp, 'recv_queue')],
    ['sendQueue', text(tcp, 'send_queue')],
  ];
  return { line, ...Object.fromEntries(found.filter(([, value]) => value !== undefined)) };
}

function lsfdRecord(record: Json): Parameters<typeof rowOfLsfd>[0] {
  const [pid, inode] = [number(record, 'pid'), number(record, 'inode')];
  const named = {
    command: text(record, 'command'),
    user: text(record, 'user'),
    assoc: text(record, 'assoc'),
    type: text(record, 'type'),
    name: text(record, 'name'),
    state: text(record, 'sock.state'),
    local: text(record, 'tcp.laddr'),
    peer: text(record, 'tcp.raddr'),
  };
  const known = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
  return { ...known, ...(pid !== undefined && { pid }), ...(inode !== undefined && { inode }) };
}
