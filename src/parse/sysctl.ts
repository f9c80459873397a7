import { ParseError } from '../model/errors.ts';
import { integer } from './rows.ts';

// Documentation/admin-guide/sysctl/fs.rst and Documentation/networking/ip-sysctl.rst.

/** /proc/sys/fs/file-nr: open files of the whole machine, unused ones (0 since 2.6), and how many there may be. */
export function parseFileNr(text: string): { open: number; limit: number } {
  const [open = '', unused = '', limit = ''] = text.trim().split(/\s+/);
  // Without a real limit it is the largest long, which no number of JavaScript is.
  const most = /^[0-9]{16,19}$/.test(limit) ? Number.POSITIVE_INFINITY : integer(limit, 10, 'file-nr');
  return { open: integer(open, 10, 'file-nr') - integer(unused, 10, 'file-nr'), limit: most };
}

/** /proc/sys/net/ipv4/ip_local_port_range: how many ports outbound connections to one destination can have. */
export function parsePortRange(text: string): number {
  const [first = '', last = ''] = text.trim().split(/\s+/);
  const count = integer(last, 10, 'ip_local_port_range') - integer(first, 10, 'ip_local_port_range') + 1;
  if (count < 1) throw new ParseError('ip_local_port_range', `"${text.trim()}" is no range`);
  return count;
}
