import type { Container, Pod, Process } from '../model/process.ts';
import { parseCgroup } from '../parse/cgroup.ts';
import type { ContainerNames } from '../parse/container-config.ts';
import { parsePasswd } from '../parse/passwd.ts';
import { commandLine, parseBootTime, parseCmdline, parseLimits, parseStat, parseStatus } from '../parse/proc-pid.ts';
import { detectRuntime, needsMaps } from '../parse/runtime.ts';
import { attempt } from './attempt.ts';
import { type LibraryBudget, readLibraries } from './libraries.ts';
import type { FdTable, Machine, ProcessEntry } from './machine.ts';
import { readText } from './machine.ts';

/** Clock ticks per second in /proc: USER_HZ, which is 100 on every architecture Node runs on. */
export const USER_HZ = 100;
/** Node.js 24 names its main thread so, and with it the process: the program's name says more. */
const NODE_MAIN_THREAD = 'MainThread';
/** The ELF header, the program headers and the first notes of an executable. */
const EXE_HEAD = 4096;

/** What many processes share, read once: names of users, of containers, and when the machine started. */
export class Identities {
  readonly #machine: Machine;
  readonly #containers = new Map<string, ContainerNames>();
  #users: Map<number, string> | undefined;
  #bootTime: number | undefined;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  user(uid: number): string | undefined {
    this.#users ??= parsePasswd(attempt(() => readText(this.#machine, '/etc/passwd')) ?? '');
    return this.#users.get(uid);
  }

  /** Seconds since 1970. */
  get bootTime(): number | undefined {
    this.#bootTime ??= attempt(() => parseBootTime(readText(this.#machine, '/proc/stat')));
    return this.#bootTime;
  }

  container(container: Pick<Container, 'engine' | 'id'>): ContainerNames {
    const known = this.#containers.get(container.id);
    if (known) return known;
    const names = attempt(() => this.#machine.containerNames(container)) ?? {};
    this.#containers.set(container.id, names);
    return names;
  }
}

/** Reads who a process is, and with a budget which libraries it uses. Undefined when it has ended. */
export function describeHolder(
  machine: Machine,
  entry: ProcessEntry,
  table: FdTable | undefined,
  identities: Identities,
  budget?: LibraryBudget,
): Process | undefined {
  const { pid } = entry;
  const root = `/proc/${pid}`;
  const text = (file: string): string | undefined => attempt(() => readText(machine, `${root}/${file}`));
  const statText = text('stat');
  const stat = statText === undefined ? undefined : attempt(() => parseStat(statText, `${root}/stat`));
  if (!stat) return undefined;
  const status = attempt(() => parseStatus(text('status') ?? '', `${root}/status`));
  const limits = attempt(() => parseLimits(text('limits') ?? '', `${root}/limits`));
  // The command line is memory of the process: reading it waits as long as an uninterruptible one holds that.
  const stuck = stat.state === 'uninterruptible';
  const argv = (stuck ? undefined : attempt(() => parseCmdline(machine.read(`${root}/cmdline`)))) ?? [];
  const uid = status?.uid;
  const exe = attempt(() => machine.link(`${root}/exe`));
  const runtime = stuck ? undefined : runtimeOf(machine, pid, stat.name, argv, exe);
  const program = { pid, name: stat.name, argv, ...(exe !== undefined && { exe }), ...(runtime && { runtime }) };
  const libraries = budget && !stuck ? readLibraries(machine, program, table, budget) : [];
  const { bootTime } = identities;
  // 0 is no count here, for it holds something: its first thread has ended, and shows no descriptors any more.
  const openFds = (table && (table.count ?? countFds(machine, pid))) || undefined;
  return defined<Process>({
    pid,
    name: stat.name === NODE_MAIN_THREAD ? (exe ?? stat.name).replace(/^.*\//, '') : stat.name,
    command: argv.length > 0 ? commandLine(argv) : undefined,
    parent: stat.parent,
    uid,
    user: uid === undefined ? undefined : identities.user(uid),
    startedAt: bootTime === undefined ? undefined : bootTime + stat.startTicks / USER_HZ,
    state: stat.state,
    threads: stat.threads,
    openFds,
    fdLimit: limits?.soft,
    fdHardLimit: limits?.hard,
    runtime,
    libraries: libraries.length > 0 ? libraries : undefined,
    ...confinement(text('cgroup'), `${root}/cgroup`, identities),
    netns: entry.netns,
    sockets: table?.sockets,
  });
}

/** Before Linux 6.2 the size of the directory is not known, and its entries are counted. */
const countFds = (machine: Machine, pid: number): number | undefined =>
  machine.fdOwners([pid]).get(pid)?.fdCount ?? attempt(() => machine.list(`/proc/${pid}/fd`).length);

function runtimeOf(
  machine: Machine,
  pid: number,
  name: string,
  argv: string[],
  exe: string | undefined,
): Process['runtime'] {
  const facts = { name, argv, ...(exe !== undefined && { exe }) };
  if (!needsMaps(facts)) return detectRuntime(facts);
  const maps = attempt(() => readText(machine, `/proc/${pid}/maps`));
  const exeHead = attempt(() => machine.readHead(`/proc/${pid}/exe`, EXE_HEAD));
  return detectRuntime({ ...facts, ...(maps !== undefined && { maps }), ...(exeHead && { exeHead }) });
}

function confinement(
  text: string | undefined,
  path: string,
  identities: Identities,
): { unit?: string; container?: Container; pod?: Pod } {
  const cgroup = text === undefined ? undefined : attempt(() => parseCgroup(text, path));
  if (!cgroup) return {};
  const { unit, container, podUid } = cgroup;
  const names = container ? identities.container(container) : {};
  const pod = defined<Pod>({ ...names.pod, uid: names.pod?.uid ?? podUid });
  return {
    ...(unit !== undefined && { unit }),
    ...(container && {
      container: {
        ...container,
        ...(names.engine && { engine: names.engine }),
        ...(names.name !== undefined && { name: names.name }),
      },
    }),
    ...(Object.keys(pod).length > 0 && { pod }),
  };
}

/** The object without the fields that are undefined. */
function defined<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
