import { diagnose } from '../diagnose/diagnose.ts';
import { joinInside } from '../diagnose/inside/strands.ts';
import { viewsOf } from '../diagnose/inside/views.ts';
import { socketRows } from '../diagnose/socket-rows.ts';
import { attempt } from '../kernel/attempt.ts';
import { type Machine, readText } from '../kernel/machine.ts';
import { describeHolder, Identities } from '../kernel/process-facts.ts';
import { readThreads } from '../kernel/threads.ts';
import { isDenied, UnclosedError } from '../model/errors.ts';
import { DEFAULT_LIMITS, type Diagnosis, type Limits } from '../model/finding.ts';
import type { Depth, Inside } from '../model/inside.ts';
import type { Inspection } from '../model/inspection.ts';
import type { Process, Runtime } from '../model/process.ts';
import type { Gap, Snapshot } from '../model/snapshot.ts';
import { parseStat } from '../parse/proc-pid.ts';
import type { Subject } from '../runtimes/subject.ts';
import { captureFrom } from './capture.ts';
import { applyFilter } from './filter.ts';
import { type Look, withoutNames } from './look-at.ts';

export type InspectOptions = {
  pids: number[];
  depth: Depth;
  logs: boolean;
  /** Where a Go program serves net/http/pprof. */
  pprof?: string;
  limits?: Limits;
  /** Without names of users and services. */
  numeric?: boolean;
  announce(sentence: string): void;
  signal: AbortSignal;
};

/** A report on processes, with what was seen inside them. */
export type InspectLook = Look & { inspections: Inspection[] };

/** More processes than these are not looked into at once: workers of a server do the same. */
const MOST_PROCESSES = 8;

/** Looks into processes, or into those below them that hold what is stuck, and judges again with what was seen. */
export async function inspect(machine: Machine, options: InspectOptions): Promise<InspectLook> {
  const limits = options.limits ?? DEFAULT_LIMITS;
  const first = captureOf(machine, options.pids, limits);
  requireReadable(machine, options.pids);
  const targets = targetsOf(machine, first, diagnose(first, limits), options.pids);
  const inspections: Inspection[] = [];
  for (const process of targets.slice(0, MOST_PROCESSES)) {
    if (options.signal.aborted) break;
    inspections.push(await lookInto(machine, process, first, options));
  }
  // While a process was asked, its connections have gone on.
  const later = options.depth === 'read' ? first : again(machine, options.pids, limits);
  const seen = later ?? first;
  const snapshot = options.numeric ? withoutNames(seen) : seen;
  const inside = new Map(inspections.map(({ process, inside }) => [process.pid, inside]));
  const diagnosis = diagnose(snapshot, limits, inside);
  diagnosis.gaps = [
    ...diagnosis.gaps,
    ...(later ? [] : [endedMeanwhile(options.pids)]),
    ...(options.signal.aborted ? [INTERRUPTED] : []),
    ...leftOut(targets),
    ...inspections.flatMap(gapsOf),
  ];
  return { snapshot, diagnosis, limits, rows: () => socketRows(diagnosis), inspections };
}

/** That nothing is stuck in one whose descriptors nobody may read is not known, whatever those below it show. */
function requireReadable(machine: Machine, pids: number[]): void {
  for (const pid of pids) {
    try {
      machine.list(`/proc/${pid}/fd`);
    } catch (error) {
      if (!isDenied(error)) continue; // it has ended, which is told where it is looked into
      const remedy = 'run as root, as the user of that process, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH';
      throw new UnclosedError('FDS_DENIED', `/proc/${pid}/fd: permission denied`, remedy, { cause: error });
    }
  }
}

/** Of the named ones and those below them. One of the latter may end between two looks, and is left out then. */
function captureOf(machine: Machine, named: number[], { stuckAfterMs }: Limits): Snapshot {
  for (let tries = MOST_TRIES; ; tries--) {
    try {
      const pids = withDescendants(machine, named);
      const options = { young: true, allHolders: true, closedButHeld: 'always', stuckAfterMs } as const;
      return applyFilter(captureFrom(machine, { ...options, pids }), { pids });
    } catch (error) {
      const isGone = error instanceof UnclosedError && error.code === 'NO_SUCH_PROCESS';
      if (!isGone || tries === 0) throw error;
    }
  }
}

const MOST_TRIES = 3;

/** Undefined where a process has ended meanwhile. */
function again(machine: Machine, pids: number[], limits: Limits): Snapshot | undefined {
  try {
    return captureOf(machine, pids, limits);
  } catch (error) {
    if (error instanceof UnclosedError && error.code === 'NO_SUCH_PROCESS') return undefined;
    throw error;
  }
}

const INTERRUPTED: Gap = {
  code: 'INSIDE_CUT',
  what: 'it was interrupted (Ctrl-C, or a signal)',
  effect: 'what had not been asked by then is not shown, nor are logs: that something is absent here means nothing',
  remedy: 'run it again',
};

const endedMeanwhile = (pids: number[]): Gap => ({
  code: 'INSIDE_FAILED',
  what: `pid ${pids.join(' or ')} has ended while it was looked into`,
  effect: 'the report is of the moment before',
  remedy: 'look at the process that runs now',
});

/** Workers are children of the process that people know. */
function withDescendants(machine: Machine, pids: number[]): number[] {
  const children = new Map<number, number[]>();
  for (const { pid } of machine.processes()) {
    const path = `/proc/${pid}/stat`;
    const parent = attempt(() => parseStat(readText(machine, path), path))?.parent;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found = new Set(pids);
  for (const pid of found) for (const child of children.get(pid) ?? []) found.add(child);
  return [...found];
}

/** Those that findings are about, the worst first; without any, the ones that were named. */
function targetsOf(machine: Machine, snapshot: Snapshot, { findings }: Diagnosis, pids: number[]): Process[] {
  const concerned = findings
    .filter(({ cause }) => cause !== 'churn')
    .flatMap(({ subject: { process, coHolders } }) => [process, ...coHolders.map((it) => it.process)]);
  const targets = new Set(concerned.filter((it) => it !== undefined));
  if (targets.size > 0) return [...targets];
  return pids.map((pid) => snapshot.processes.get(pid) ?? describe(machine, pid));
}

/** One that holds nothing which a report speaks of is in no snapshot. */
function describe(machine: Machine, pid: number): Process {
  const entry = machine.processes().find((it) => it.pid === pid) ?? { pid };
  const table = attempt(() => machine.fdTable(pid));
  const process = describeHolder(machine, entry, table, new Identities(machine));
  if (!process) throw new UnclosedError('NO_SUCH_PROCESS', `no process has pid ${pid}`, 'it has ended');
  const threads = readThreads(machine, pid, machine.host().arch, MOST_THREADS);
  if (threads) process.threadList = threads;
  return process;
}

const MOST_THREADS = 5000;

function leftOut(targets: Process[]): Gap[] {
  const more = targets.slice(MOST_PROCESSES);
  if (more.length === 0) return [];
  return [
    {
      code: 'INSIDE_CUT',
      what: `${more.length} further processes hold some of it: pid ${more.map(({ pid }) => pid).join(', ')}`,
      effect: 'what their threads do is not shown; workers of one server mostly do the same',
      remedy: `unclosed inspect ${more[0]?.pid}`,
    },
  ];
}

async function lookInto(
  machine: Machine,
  process: Process,
  snapshot: Snapshot,
  { depth, announce, signal, logs, pprof }: InspectOptions,
): Promise<Inspection> {
  const sockets = [...snapshot.sockets].filter(({ inode }) => inode !== undefined && process.sockets?.has(inode));
  const subject: Subject = { machine, process, arch: machine.host().arch, sockets, depth, announce, signal };
  const { inspectThreads } = await import('../runtimes/any/inspect.ts');
  const kernel = inspectThreads(subject);
  const runtime = await (process.runtime && BY_RUNTIME[process.runtime]?.(subject, pprof));
  const inside = joinInside(kernel, runtime);
  const seen = { process, inside, strands: viewsOf(inside, snapshot) };
  if (!logs || signal.aborted) return seen;
  const { readLogs } = await import('../runtimes/logs/read.ts');
  return { ...seen, logs: await readLogs(subject, machine.now()) };
}

/** One look at several workers would say the same of each: who it was is said where it is more than one. */
const gapsOf = ({ process, inside, logs }: Inspection): Gap[] =>
  [...inside.gaps, ...(logs?.gaps ?? [])].map((gap) => ({
    ...gap,
    what: `${process.name} ${process.pid}: ${gap.what}`,
  }));

type Inspector = (subject: Subject, pprof: string | undefined) => Promise<Inside>;

const inspectNative: Inspector = async (subject) =>
  (await import('../runtimes/native/inspect.ts')).inspectNative(subject);

/** Each is loaded only when such a process is looked into. */
const BY_RUNTIME: Partial<Record<Runtime, Inspector>> = {
  java: async (subject) => (await import('../runtimes/java/inspect.ts')).inspectJava(subject),
  node: async (subject) => (await import('../runtimes/node/inspect.ts')).inspectNode(subject),
  python: async (subject) => (await import('../runtimes/python/inspect.ts')).inspectPython(subject),
  go: async (subject, pprof) =>
    (await import('../runtimes/go/inspect.ts')).inspectGo(subject, pprof === undefined ? {} : { pprof }),
  native: inspectNative,
  ruby: inspectNative,
  php: inspectNative,
  perl: inspectNative,
};
