import type { Gap } from '../model/snapshot.ts';

/** What this process may do, as /proc/self/status says. Decides which remedy is worth naming. */
export type Privileges = { root: boolean };

const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

const listed = (pids: number[]): string =>
  pids.length <= 5 ? pids.join(', ') : `${pids.slice(0, 5).join(', ')} and ${pids.length - 5} more`;

const asRoot = ({ root }: Privileges, capabilities: string): string =>
  root
    ? `run on the host, not in a container or sandbox (root has no ${capabilities} here, or a security module forbids it)`
    : `run as root, or with ${capabilities}`;

export const fdsDenied = (pids: number[], unowned: number, privileges: Privileges): Gap => ({
  code: 'FDS_DENIED',
  what: `/proc/PID/fd of ${count(pids.length, 'process', 'processes')} (pid ${listed(pids)}): permission denied`,
  effect:
    unowned > 0
      ? `${count(unowned, 'socket')} in this report may belong to one of them`
      : 'further holders of the same sockets, if any, are not seen',
  remedy: asRoot(privileges, 'CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH'),
});

export const holderUnknown = (sockets: number): Gap => ({
  code: 'HOLDER_UNKNOWN',
  what: `no process was seen that holds ${count(sockets, 'socket')}`,
  effect: 'they are listed without a process',
  remedy:
    'they may be held by a process of another pid namespace, by io_uring, or be on their way between two processes: run unclosed on the host, and again',
});

export const netnsUnknown = (pids: number[], privileges: Privileges): Gap => ({
  code: 'NETNS_UNKNOWN',
  what: `/proc/PID/ns/net of ${count(pids.length, 'process', 'processes')} (pid ${listed(pids)}): permission denied`,
  effect: 'if they are in a network namespace of their own, its sockets are missing here',
  remedy: asRoot(privileges, 'CAP_SYS_PTRACE'),
});

/** What was read of a namespace all the same: the text files, or what descriptors hold. */
type ReadInstead = 'text' | 'held' | 'nothing';

const WITHOUT_UNHELD = 'connections that nobody has accepted are missing there';

export const netnsDenied = (name: string, code: string, instead: ReadInstead, privileges: Privileges): Gap => ({
  code: 'NETNS_DENIED',
  what: `network namespace ${name} could not be entered: ${code}`,
  effect: {
    text: 'its sockets are known from text files only: without ages and cookies',
    held: WITHOUT_UNHELD,
    nothing: 'its sockets are not in this report',
  }[instead],
  remedy: asRoot(privileges, 'CAP_SYS_ADMIN'),
});

export const netlinkUnavailable = (reason: string, instead: ReadInstead): Gap => ({
  code: 'NETLINK_UNAVAILABLE',
  what: `NETLINK_SOCK_DIAG: ${reason}`,
  effect: {
    text: 'read from /proc/net/tcp instead: no ages, no accept queue limits, only namespaces of visible processes',
    held: WITHOUT_UNHELD,
    nothing: 'no socket could be read',
  }[instead],
  remedy:
    'allow netlink sockets (seccomp profile), load the kernel module tcp_diag, and install the package with its optional parts (koffi)',
});

export const netlinkInterrupted = (name: string): Gap => ({
  code: 'NETLINK_INTERRUPTED',
  what: `the socket table of network namespace ${name} changed during each of several reads`,
  effect: 'single sockets may be missing',
  remedy: 'run again at a quieter moment',
});

export const notUnderstood = (messages: string[]): Gap => ({
  code: 'PARSE',
  what: `${count(messages.length, 'message')} of the kernel not understood, the first: ${messages[0]}`,
  effect: 'what they tell of is not in this report',
  remedy: 'please report this with a recording (unclosed record DIR --scrub)',
});

export const procHidden = (hidepid: string): Gap => ({
  code: 'PROC_HIDDEN',
  what: `/proc is mounted with hidepid=${hidepid}`,
  effect: /^(1|noaccess)$/.test(hidepid)
    ? 'processes of other users may not be looked into'
    : 'processes of other users are not seen',
  remedy: 'run as root, or as a member of the group in the mount option gid=',
});
