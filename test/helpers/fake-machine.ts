import {
  type DatagramSink,
  type FdOwner,
  type FdTable,
  type HeldAnswer,
  type HeldRequest,
  type Machine,
  type NetNsEntry,
  type NetnsTables,
  NO_ANSWER,
  type ProcessEntry,
} from '../../src/kernel/machine.ts';
import { SystemError } from '../../src/model/errors.ts';
import { type Listener, TCP_STATE, type TcpSocket } from '../../src/model/socket.ts';
import type { DiagRequest } from '../../src/parse/inet-diag.ts';
import { FACTS, heldRecord } from './held.ts';
import { HOST_NETNS, NOW } from './model.ts';
import { done, inetDiagMessage, message, NLM_F_DUMP_INTR, procNetTcp } from './netlink.ts';

export type FakeProcess = {
  pid: number;
  name?: string;
  /** Absent: as another user's process looks to one who may not see its namespace. */
  netns?: number | undefined;
  uid?: number;
  /** What /proc/PID/status says, where it differs from the owner of /proc/PID/fd. */
  effectiveUid?: number;
  argv?: string[];
  /** Letter in /proc/PID/stat. */
  state?: string;
  startTicks?: number;
  cgroup?: string;
  /** Inode to descriptors. */
  sockets?: Map<number, number[]>;
  /** Open descriptors in all. */
  fdCount?: number;
};

export type FakeNetns = {
  id?: number;
  sockets?: TcpSocket[];
  listeners?: Listener[];
  /** So many dumps of connections are marked as interrupted. */
  interrupted?: number;
};

export type FakeData = {
  processes?: FakeProcess[];
  namespaces?: FakeNetns[];
  /** TCP sockets that are in no table. */
  unlisted?: number;
  /** Further files, and those below /proc that shall differ. */
  files?: Record<string, string>;
  /** Targets of links, and names in directories, that shall differ. */
  links?: Record<string, string>;
  lists?: Record<string, string[]>;
  /** Protocol by inode of sockets that are in no table; TCP unless said. */
  protocols?: Map<number, string>;
  cgroups?: Map<bigint, number[]>;
  /** By number of the network namespace. */
  parameters?: Record<number, Record<string, string>>;
  /** Errno by call: `fdTable 812`, `openNetns 7`, `dump 7 LISTEN`, `read /proc/7/net/tcp`. */
  refuse?: Record<string, string>;
  /** Runs before each call, so that the machine can change while it is looked at. */
  before?: (call: string, data: FakeData) => void;
  /** There is a BPF iterator, which shows everything so many times. */
  bpf?: { again?: number; alone?: (inode: number, fd: number) => boolean };
  /** Sockets that are in no table and that somebody may hold; only BPF tells of them. */
  closed?: TcpSocket[];
  /** Whom the tool runs as. */
  ownUid?: number;
};

/** A machine of plain data that answers as the kernel does: netlink bytes, text of /proc, and errnos. */
export class FakeMachine implements Machine {
  readonly source = { kind: 'live' } as const;
  readonly calls: string[] = [];
  readonly data: FakeData;
  #clock = NOW - 93;

  constructor(data: FakeData) {
    this.data = data;
  }

  /** Calls that begin so. */
  callsOf(kind: string): string[] {
    return this.calls.filter((call) => call.startsWith(kind));
  }

  #ask(call: string, saysKernel = call): void {
    this.calls.push(call);
    this.data.before?.(call, this.data);
    const errno = this.data.refuse?.[call];
    if (errno !== undefined) throw new SystemError(errno, saysKernel);
  }

  now(): number {
    const at = this.#clock;
    this.#clock += 93;
    return at;
  }

  pause(milliseconds: number): void {
    this.#ask(`pause ${milliseconds}`);
  }

  host(): { name: string; kernel: string; arch: string } {
    return { name: 'db-1', kernel: '6.18.4', arch: 'x64' };
  }

  processes(): ProcessEntry[] {
    this.#ask('processes');
    return this.#processes.map((it) => {
      const netns = 'netns' in it ? it.netns : HOST_NETNS;
      return { pid: it.pid, ...(netns !== undefined && { netns }) };
    });
  }

  fdOwners(pids: number[]): Map<number, FdOwner> {
    const known = this.#processes.filter(({ pid }) => pids.includes(pid));
    return new Map(known.map((it) => [it.pid, { uid: it.uid ?? 33, fdCount: countOf(it) }]));
  }

  ownNetns(): number {
    return HOST_NETNS;
  }

  openNetns(entry: NetNsEntry): NetnsTables {
    this.#ask(`openNetns ${entry.id}`, 'setns');
    return {
      sockstat: () => this.#sockstat(entry.id),
      dump: (request, sink) => this.#dump(entry.id, request, sink),
      close: () => this.calls.push(`close ${entry.id}`),
    };
  }

  heldSockets({ states, pid: only }: HeldRequest): HeldAnswer {
    this.#ask(`heldSockets ${nameOf(states)}${only === undefined ? '' : ` ${only}`}`, 'bpf(PROG_LOAD)');
    if (!this.data.bpf) throw new SystemError(NO_ANSWER, 'BPF was not asked for');
    const all = (this.data.namespaces ?? []).flatMap((it) => [...(it.sockets ?? []), ...(it.listeners ?? [])]);
    const byInode = new Map([...all, ...(this.data.closed ?? [])].map((it) => [it.inode, it]));
    const { again = 1, alone } = this.data.bpf;
    const fdsOf = new Map<number, number>();
    for (const { sockets = new Map<number, number[]>() } of this.#processes)
      for (const [inode, fds] of sockets) fdsOf.set(inode, (fdsOf.get(inode) ?? 0) + fds.length);
    const isAlone = ({ inode, fd }: { inode: number; fd: number }): boolean =>
      alone ? alone(inode, fd) : fdsOf.get(inode) === 1;
    const records = this.#processes.flatMap(({ pid, sockets = new Map<number, number[]>() }) =>
      [...sockets]
        .flatMap(([inode, fds]) => fds.map((fd) => ({ inode, fd })))
        .sort((a, b) => a.fd - b.fd)
        .flatMap(({ inode, fd }) => {
          const it = byInode.get(inode);
          if (!it || (only !== undefined && pid !== only)) return [];
          const wanted = (states & (1 << TCP_STATE['state' in it ? it.state : 'LISTEN'])) !== 0;
          return wanted ? [heldRecord(it, { pid, fd }, { alone: isAlone({ inode, fd }) ? 1 : 0 })] : [];
        }),
    );
    return { bytes: new Uint8Array(Buffer.concat(Array.from({ length: again }, () => records).flat())), facts: FACTS };
  }

  fdTable(pid: number): FdTable {
    this.#ask(`fdTable ${pid}`);
    const found = this.#process(pid);
    return { count: countOf(found), sockets: found.sockets ?? new Map() };
  }

  socketProtocol(pid: number, fd: number): string {
    this.#ask(`socketProtocol ${pid} ${fd}`);
    const sockets = [...(this.#process(pid).sockets ?? [])];
    const inode = sockets.find(([, fds]) => fds.includes(fd))?.[0];
    if (inode === undefined) throw new SystemError('ENOENT', `getxattr /proc/${pid}/fd/${fd}`);
    return this.data.protocols?.get(inode) ?? 'TCP';
  }

  cgroupPids(id: bigint): number[] {
    this.#ask(`cgroupPids ${id}`);
    return this.data.cgroups?.get(id) ?? [];
  }

  parameters({ id }: NetNsEntry): Record<string, string> {
    this.#ask(`parameters ${id}`, 'setns');
    return this.data.parameters?.[id] ?? {};
  }

  containerNames(): object {
    return {};
  }

  read(path: string): Uint8Array {
    this.#ask(`read ${path}`);
    return Buffer.from(this.data.files?.[path] ?? this.#procFile(path));
  }

  readHead(path: string): Uint8Array {
    this.#ask(`readHead ${path}`);
    return new Uint8Array();
  }

  link(path: string): string {
    this.#ask(`link ${path}`);
    const target = this.data.links?.[path];
    if (target !== undefined) return target;
    if (path.includes('/fd/')) throw new SystemError('ENOENT', path);
    return `/usr/bin/${this.#process(Number(path.split('/')[2])).name ?? 'app'}`;
  }

  list(path: string): string[] {
    this.#ask(`list ${path}`);
    const names = this.data.lists?.[path];
    if (names) return names;
    if (path.endsWith('/fd')) throw new SystemError('EACCES', path);
    return [path.split('/')[2] ?? ''];
  }

  get #processes(): FakeProcess[] {
    return this.data.processes ?? [];
  }

  #process(pid: number): FakeProcess {
    const found = this.#processes.find((it) => it.pid === pid);
    if (!found) throw new SystemError('ENOENT', `/proc/${pid}`);
    return found;
  }

  #netns(id: number): Required<Pick<FakeNetns, 'sockets' | 'listeners'>> & FakeNetns {
    const found = this.data.namespaces?.find((it) => (it.id ?? HOST_NETNS) === id);
    return Object.assign(found ?? {}, { sockets: found?.sockets ?? [], listeners: found?.listeners ?? [] });
  }

  #sockstat(id: number): { v4: string; v6: string } {
    this.#ask(`sockstat ${id}`);
    const inTable = (all: { family: 4 | 6; state?: string }[], family: number): number =>
      all.filter((it) => it.family === family && it.state !== 'TIME_WAIT').length;
    const { sockets, listeners } = this.#netns(id);
    const all = (this.data.namespaces ?? []).flatMap((it) => [...(it.sockets ?? []), ...(it.listeners ?? [])]);
    const alloc = inTable(all, 4) + inTable(all, 6) + (this.data.unlisted ?? 0);
    const inUse = (family: number): number => inTable(sockets, family) + inTable(listeners, family);
    return {
      v4: `sockets: used 300\nTCP: inuse ${inUse(4)} orphan 0 tw 0 alloc ${alloc} mem 0\nUDP: inuse 2 mem 0\n`,
      v6: `TCP6: inuse ${inUse(6)}\nUDP6: inuse 1\n`,
    };
  }

  #dump(id: number, { states, family, tcpInfo }: DiagRequest, sink: DatagramSink): void {
    this.#ask(`dump ${id} ${nameOf(states)}`);
    const netns = this.#netns(id);
    const asked = [...netns.listeners, ...netns.sockets].filter((it) => {
      const state = TCP_STATE['state' in it ? it.state : 'LISTEN'];
      return (states & (1 << state)) !== 0 && (family === undefined || family === it.family);
    });
    const interrupted = (netns.interrupted ?? 0) > 0 && nameOf(states) !== 'LISTEN';
    if (interrupted) netns.interrupted = (netns.interrupted ?? 0) - 1;
    const messages = asked.map((it) => message(20, inetDiagMessage(it, tcpInfo)));
    for (let at = 0; at < messages.length; at += 80) {
      const datagram = Buffer.concat(messages.slice(at, at + 80));
      if (!sink(datagram, datagram.length)) return;
    }
    const end = done(interrupted ? NLM_F_DUMP_INTR : 2);
    if (sink(end, end.length)) throw new Error('the dump is over, and more was asked for');
  }

  #procFile(path: string): string {
    if (path === '/proc/self/status') return `Name:\tunclosed\nUid:${`\t${this.data.ownUid ?? 0}`.repeat(4)}\n`;
    if (path === '/proc/stat') return 'cpu  1 2 3\nbtime 1795000000\n';
    const [, , who = '', file = ''] = path.split('/');
    const netnsOf = (): number => (who === 'self' ? HOST_NETNS : (this.#process(Number(who)).netns ?? HOST_NETNS));
    if (/\/net\/sockstat6?$/.test(path)) return this.#sockstat(netnsOf())[path.endsWith('6') ? 'v6' : 'v4'];
    const net = /^\/proc\/[^/]+\/net\/tcp(6?)$/.exec(path);
    if (net) {
      const { sockets, listeners } = this.#netns(netnsOf());
      const family = net[1] === '6' ? 6 : 4;
      return procNetTcp(
        [...listeners, ...sockets].filter((it) => it.family === family),
        family,
      );
    }
    const made = /^[0-9]+$/.test(who) ? fileOf(this.#process(Number(who)), file) : undefined;
    if (made === undefined) throw new SystemError('ENOENT', path);
    return made;
  }
}

const countOf = ({ fdCount, sockets }: FakeProcess): number => fdCount ?? (sockets?.size ?? 0) + 3;

function nameOf(states: number): string {
  if (states === 1 << TCP_STATE.LISTEN) return 'LISTEN';
  if (states === 1 << TCP_STATE.CLOSE_WAIT) return 'CLOSE_WAIT';
  return states & (1 << TCP_STATE.CLOSE_WAIT) ? 'ALL' : 'OTHERS';
}

function fileOf(it: FakeProcess, file: string): string | undefined {
  const { pid, name = 'app', argv = [`/usr/bin/${name}`], state = 'S', startTicks = 5000 + pid } = it;
  const uid = it.effectiveUid ?? it.uid ?? 33;
  switch (file) {
    case 'stat':
      return `${pid} (${name}) ${state} 1 ${pid} ${pid} 0 -1 4194560 4382 156 0 0 12 34 1 2 20 0 4 0 ${startTicks} 4943872 1017\n`;
    case 'status':
      return `Name:\t${name}\nState:\t${state}\nUid:${`\t${uid}`.repeat(4)}\nGid:${'\t100'.repeat(4)}\nGroups:\t${uid}\nThreads:\t4\n`;
    case 'limits':
      return 'Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 4096                 files     \n';
    case 'cmdline':
      return argv.map((arg) => `${arg}\0`).join('');
    case 'cgroup':
      return `0::${it.cgroup ?? `/system.slice/${name}.service`}\n`;
    case 'maps':
      return '';
    default:
      return undefined;
  }
}
