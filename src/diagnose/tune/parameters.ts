import type { Parameter } from '../../model/tune.ts';

// Documentation/networking/ip-sysctl.rst and admin-guide/sysctl/fs.rst say what each does. The kernel takes more than
// makes sense for some of them (tcp_keepalive_time -1), so bounds are those of the socket option that does the same.
const INT_MAX = 2 ** 31 - 1;

const seconds = (name: string, most: number, bounds: string): Parameter => ({
  name,
  scope: 'netns',
  unit: 'seconds',
  numbers: 1,
  least: 1,
  most,
  bounds,
});

const number = (name: string, least: number, most: number, bounds: string): Parameter => ({
  name,
  scope: name.startsWith('net.') ? 'netns' : 'machine',
  numbers: 1,
  least,
  most,
  bounds,
});

export const PARAMETERS: readonly Parameter[] = [
  seconds('net.ipv4.tcp_keepalive_time', 32_767, 'MAX_TCP_KEEPIDLE, include/net/tcp.h'),
  seconds('net.ipv4.tcp_keepalive_intvl', 32_767, 'MAX_TCP_KEEPINTVL, include/net/tcp.h'),
  number('net.ipv4.tcp_keepalive_probes', 1, 127, 'MAX_TCP_KEEPCNT, include/net/tcp.h'),
  number('net.ipv4.tcp_retries2', 1, 255, 'one byte; 8 is the least that RFC 1122 recommends'),
  number('net.core.somaxconn', 1, INT_MAX, 'net/core/sysctl_net_core.c'),
  { ...number('net.ipv4.ip_local_port_range', 1, 65_535, 'net/ipv4/sysctl_net_ipv4.c'), numbers: 2 },
  // 2^31 milliseconds, the most at 1000 ticks a second.
  seconds('net.ipv4.tcp_fin_timeout', 2_147_483, 'an int of clock ticks'),
  number('net.ipv4.tcp_max_syn_backlog', 1, INT_MAX, 'an int'),
  number('net.ipv4.tcp_tw_reuse', 0, 2, '0 off, 1 on, 2 for loopback only'),
  number('fs.file-max', 1, Number.MAX_SAFE_INTEGER, 'an unsigned long'),
  number('fs.nr_open', 64, 2_147_483_584, 'sysctl_nr_open_min and _max, fs/file.c'),
];

/** Also read, to judge the others by: the lowest port that anybody may bind. */
const UNPRIVILEGED_PORT_START = 'net.ipv4.ip_unprivileged_port_start';

/** Whose value depends on the network namespace of whoever reads it. */
export const NETNS_NAMES: readonly string[] = [
  ...PARAMETERS.filter(({ scope }) => scope === 'netns').map(({ name }) => name),
  UNPRIVILEGED_PORT_START,
];

export const MACHINE_NAMES: readonly string[] = PARAMETERS.filter(({ scope }) => scope === 'machine').map(
  ({ name }) => name,
);

/** By its full name, or by the last part of it: tcp_keepalive_time. */
export const parameterNamed = (name: string): Parameter | undefined =>
  PARAMETERS.find((it) => it.name === name || it.name.endsWith(`.${name}`));

/** What is known of the machine when a change is judged. */
export type Present = {
  /** By name; what could not be read is missing. */
  values: ReadonlyMap<string, string>;
  openFiles?: number;
};

/** The value as the kernel prints it; or why it is refused. */
export function judgeValue(parameter: Parameter, text: string, present: Present): { value: string } | { why: string } {
  const { name, numbers, least, most, bounds } = parameter;
  const words = text.trim().split(/[\s-]+/);
  if (words.length !== numbers || !words.every((word) => /^[0-9]{1,16}$/.test(word)))
    return { why: numbers === 1 ? `"${text}" is no whole number` : `"${text}" is no range: write 32768-60999` };
  const values = words.map(Number);
  if (values.some((value) => value < least || value > most))
    return { why: `${text} is not within ${least} to ${most} (${bounds})` };
  const why = numbers === 2 ? judgeRange(values, present) : judgeLimit(name, values[0] ?? 0, present);
  return why === undefined ? { value: values.join(' ') } : { why };
}

function judgeRange([low = 0, high = 0]: number[], { values }: Present): string | undefined {
  const first = Number(values.get(UNPRIVILEGED_PORT_START) ?? 1024);
  if (low >= high) return `${low} is not below ${high}`;
  return low < first ? `ports below ${first} are privileged (${UNPRIVILEGED_PORT_START})` : undefined;
}

function judgeLimit(name: string, value: number, { values, openFiles }: Present): string | undefined {
  if (!name.startsWith('fs.')) return undefined;
  const now = values.get(name);
  if (now !== undefined && value < Number(now))
    return `less than now (${now}) takes descriptors from every program of the machine, and helps against no leak`;
  return openFiles !== undefined && name === 'fs.file-max' && value < openFiles
    ? `${openFiles} files are open`
    : undefined;
}
