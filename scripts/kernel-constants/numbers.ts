import { readFileSync } from 'node:fs';
import { TCP_STATE } from '../../src/model/socket.ts';
import * as inetDiag from '../../src/parse/inet-diag.ts';
import * as netlink from '../../src/parse/netlink.ts';
import { callNumbers } from '../../src/parse/syscall.ts';

/** One comparison: equal texts are the same. */
export type Row = { what: string; where: string; ours: string; theirs: string };

/** `name` is a C expression; `pattern` finds our number in the source, as its first group. */
type Use = { name: string; file: string; pattern: RegExp };

const constant = (file: string, ...names: string[]): Use[] =>
  names.map((name) => ({ name, file, pattern: new RegExp(`const ${name} = (-?[0-9a-fox_]+)[,;]`) }));

/** A read at an offset, with the field's name in the comment behind it. */
const offset = (file: string, struct: string, ...fields: string[]): Use[] =>
  fields.map((field) => ({
    name: `offsetof(struct ${struct}, ${field})`,
    file,
    pattern: new RegExp(`read\\w+\\(([0-9]+)\\).*// .*\\b${field}\\b`),
  }));

const LIBC = 'src/kernel/libc.ts';
const FAST = 'src/kernel/fast.ts';
const ARGUMENTS = 'src/parse/call-arguments.ts';

const GETDENTS: Record<string, RegExp> = { x64: /x64: ([0-9]+)/, arm64: /\[process\.arch\] \?\? ([0-9]+)/ };

const USES: Use[] = [
  ...constant(LIBC, 'O_RDONLY', 'O_NONBLOCK', 'O_CLOEXEC', 'AT_FDCWD', 'S_IFMT', 'S_IFSOCK', 'CLONE_NEWNET'),
  ...constant(LIBC, 'AF_UNIX', 'AF_INET', 'AF_NETLINK', 'SOCK_STREAM', 'SOCK_RAW', 'SOCK_CLOEXEC', 'NETLINK_SOCK_DIAG'),
  ...constant(LIBC, 'SOL_SOCKET', 'SO_RCVTIMEO', 'SO_NETNS_COOKIE'),
  ...constant(LIBC, 'SYS_pidfd_send_signal', 'SYS_pidfd_open', 'SYS_pidfd_getfd', 'RLIMIT_NOFILE', 'SHUT_WR'),
  ...constant(LIBC, 'SO_KEEPALIVE', 'SO_COOKIE', 'SO_BINDTOIFINDEX'),
  { name: 'IPPROTO_TCP', file: LIBC, pattern: /const SOL_TCP = ([0-9]+);/ },
  ...constant(LIBC, 'TCP_KEEPIDLE', 'TCP_KEEPINTVL', 'TCP_KEEPCNT', 'TCP_INFO'),
  ...offset(LIBC, 'statx', 'stx_uid', 'stx_mode', 'stx_ino', 'stx_size', 'stx_dev_major'),
  { name: 'offsetof(struct statx, stx_dev_minor)', file: LIBC, pattern: /.*readUInt32LE\(([0-9]+)\).*stx_dev_minor/ },
  { name: 'sizeof(struct timeval)', file: LIBC, pattern: /timeval = new Uint8Array\(([0-9]+)\)/ },
  { name: 'sizeof(struct file_handle) + 8', file: LIBC, pattern: /handle = Buffer\.alloc\(([0-9]+)\)/ },
  { name: 'offsetof(struct file_handle, handle_bytes)', file: LIBC, pattern: /handle\.writeUInt32LE\(8, ([0-9]+)\)/ },
  {
    name: 'offsetof(struct file_handle, handle_type)',
    file: LIBC,
    pattern: /writeUInt32LE\(FILEID_KERNFS, ([0-9]+)\)/,
  },
  { name: 'offsetof(struct file_handle, f_handle)', file: LIBC, pattern: /writeBigUInt64LE\(id, ([0-9]+)\)/ },
  ...(GETDENTS[process.arch]
    ? [{ name: 'SYS_getdents64', file: LIBC, pattern: GETDENTS[process.arch] as RegExp }]
    : []),
  { name: 'offsetof(struct dirent64, d_reclen)', file: FAST, pattern: /readUInt16LE\(offset \+ ([0-9]+)\)/ },
  { name: 'offsetof(struct dirent64, d_name)', file: FAST, pattern: /name = offset \+ ([0-9]+);/ },
  ...constant('src/parse/netlink.ts', 'NLMSG_ERROR', 'NLMSG_DONE', 'NLM_F_DUMP_INTR'),
  ...constant(ARGUMENTS, 'TIMER_ABSTIME', 'FUTEX_WAIT', 'FUTEX_LOCK_PI', 'FUTEX_WAIT_BITSET'),
  { name: 'sizeof(struct pollfd)', file: ARGUMENTS, pattern: /const POLLFD_SIZE = ([0-9]+);/ },
  { name: 'sizeof(struct timespec)', file: ARGUMENTS, pattern: /const TIME_SIZE = ([0-9]+);/ },
  ...constant('src/parse/mutex.ts', 'FUTEX_TID_MASK'),
  ...constant('src/parse/inet-diag.ts', 'INET_DIAG_INFO', 'INET_DIAG_CGROUP_ID', 'IPPROTO_TCP'),
];

/** Calls that older headers do not know yet. */
const YOUNG_CALLS = /^(?:futex_waitv|epoll_pwait2|clone3)$/;

/** Numbers that src/ exports. Headers before 6.8 do not know BOUND_INACTIVE yet. */
const EXPORTED: Record<string, number> = {
  ...Object.fromEntries(
    callNumbers(process.arch)
      .filter(([call]) => !YOUNG_CALLS.test(call))
      .map(([call, number]) => [`SYS_${call}`, number]),
  ),
  ...pick(netlink, 'NLMSG_HDRLEN', 'NLM_F_REQUEST', 'NLM_F_ACK', 'NLM_F_DUMP'),
  ...pick(inetDiag, 'TCPDIAG_GETSOCK', 'SOCK_DIAG_BY_FAMILY', 'SOCK_DESTROY', 'AF_INET', 'AF_INET6'),
  ...Object.fromEntries(
    Object.entries(TCP_STATE)
      .filter(([name]) => name !== 'BOUND_INACTIVE')
      .map(([name, number]) => [`BPF_TCP_${name}`, number]),
  ),
};

/** The mask of statx, whose parts stand in one line. */
const STATX_MASK = 'STATX_TYPE | STATX_UID | STATX_INO | STATX_SIZE';

/** Every C expression whose value is needed. */
export const C_EXPRESSIONS: string[] = [...USES.map(({ name }) => name), ...Object.keys(EXPORTED), STATX_MASK];

export function compareNumbers(numbers: Record<string, number>): Row[] {
  const theirs = (name: string): string => String(numbers[name] ?? 'not measured');
  return [
    ...USES.map(({ name, file, pattern }) => ({
      what: name,
      where: file,
      ours: read(file, pattern),
      theirs: theirs(name),
    })),
    ...Object.entries(EXPORTED).map(([name, ours]) => ({
      what: name,
      where: 'exported',
      ours: String(ours),
      theirs: theirs(name),
    })),
    { what: STATX_MASK, where: LIBC, ours: statxMask(), theirs: theirs(STATX_MASK) },
  ];
}

function pick(from: Record<string, unknown>, ...names: string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, from[name] as number]));
}

function read(file: string, pattern: RegExp): string {
  const text = pattern.exec(source(file))?.[1];
  return text === undefined ? `no line like ${pattern.source}` : String(Number(text.replaceAll('_', '')));
}

function statxMask(): string {
  const terms = /STATX_TYPE_UID_INO_SIZE = ([0-9a-fx| ]+);/.exec(source(LIBC))?.[1]?.split('|');
  return terms ? String(terms.reduce((mask, term) => mask | Number(term), 0)) : 'no mask found';
}

const source = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
