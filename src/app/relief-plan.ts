import { diagnose } from '../diagnose/diagnose.ts';
import { decide } from '../diagnose/relief/decide.ts';
import { raisedLimit } from '../diagnose/relief/means.ts';
import { selectSockets } from '../diagnose/relief/select.ts';
import { areOlderThan } from '../diagnose/traits.ts';
import { attempt } from '../kernel/attempt.ts';
import { frozenCgroupOf } from '../kernel/freezer.ts';
import { type Machine, readText } from '../kernel/machine.ts';
import { SystemError, UnclosedError } from '../model/errors.ts';
import type { Finding, Limits } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import type { Circumstances, Decision, ReliefAction, ReliefPlan } from '../model/relief.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Listener } from '../model/socket.ts';
import { parseCgroup } from '../parse/cgroup.ts';
import { parseStat, parseStatus } from '../parse/proc-pid.ts';
import { captureFrom } from './capture.ts';
import { applyFilter, type Filter, processTest } from './filter.ts';
import { requireMatch } from './matching.ts';

/** Whose sockets: exactly one of these. `port` of a listener, with its address where there are several. */
export type Whom = Pick<Filter, 'pids' | 'unit' | 'container' | 'netns'> & {
  listener?: { port: number; address?: string };
};

export type ReliefOptions = {
  whom: Whom;
  limits: Limits;
  olderThanMs: number;
  action?: ReliefAction;
  socketsOnly: boolean;
  fdLimit?: number;
};

export type ReliefLook = { snapshot: Snapshot; plans: ReliefPlan[] };

/** Looks at the machine, and decides for each finding of the named processes what would help. Changes nothing. */
export function planRelief(machine: Machine, options: ReliefOptions): ReliefLook {
  const { whom, limits } = options;
  // All processes, so that no further holder of a socket is missed.
  const whole = captureFrom(machine, {
    stuckAfterMs: limits.stuckAfterMs,
    allHolders: true,
    young: true,
    closedButHeld: 'always',
  });
  if (whom.pids) requirePids(machine, whom.pids);
  const { listener, ...filter } = whom;
  const isMeant = listener ? listensAt(whole, listener, whom.netns) : processTest(filter);
  if (!isMeant) throw new Error('relief for nobody in particular');
  const snapshot = listener ? onlyOf(whole, listener, isMeant) : applyFilter(whole, filter);
  const { findings } = diagnose(snapshot, limits);
  if (findings.length === 0 && !listener) requireMatch(machine, filter, whole, () => diagnose(whole, limits));
  const circumstances = circumstancesOf(machine, options);
  const led = findings.flatMap((finding) => ledBy(finding, isMeant, snapshot.takenAt) ?? []);
  requireOne(whom, led);
  const plans = led.map((finding) => planOf(finding, circumstances, options));
  return { snapshot, plans: withoutRepeats(plans) };
}

function requirePids(machine: Machine, pids: number[]): void {
  const there = machine.processes();
  for (const pid of pids) {
    if (!there.some((it) => it.pid === pid))
      throw new UnclosedError('NO_SUCH_PROCESS', `no process has pid ${pid}`, 'it may have ended');
    if (!attempt(() => machine.fdTable(pid)))
      throw new UnclosedError('FDS_DENIED', `/proc/${pid}/fd: permission denied`, 'run as root, or as the user of it');
  }
}

function listensAt(
  snapshot: Snapshot,
  wanted: NonNullable<Whom['listener']>,
  netns: string | undefined,
): (it: Process) => boolean {
  const names = new Map(snapshot.namespaces.map(({ id, name }) => [id, name]));
  const there = snapshot.listeners.filter(
    (it) => isAt(it, wanted) && (netns === undefined || netns === String(it.netns) || netns === names.get(it.netns)),
  );
  const inodes = there.flatMap(({ inode }) => inode ?? []);
  const places = new Set(there.map((it) => `${it.netns} ${it.local.address}`));
  if (inodes.length === 0)
    throw new UnclosedError('NOTHING_MATCHES', `nothing listens on port ${wanted.port}`, 'ss -ltn lists what does');
  // IPv4 and IPv6 of one program are one listener to people; two namespaces or addresses are not.
  if (new Set(there.map((it) => it.netns)).size > 1 || (places.size > 1 && !haveSameHolders(snapshot, inodes)))
    throw new UnclosedError('USAGE', `several listeners on port ${wanted.port}`, '--listener ADDRESS:PORT, or --netns');
  return (process) => inodes.some((inode) => process.sockets?.has(inode) === true);
}

const haveSameHolders = ({ processes }: Snapshot, inodes: number[]): boolean =>
  [...processes.values()].every((it) => new Set(inodes.map((inode) => it.sockets?.has(inode) === true)).size === 1);

const isAt = ({ local }: Listener, { port, address }: NonNullable<Whom['listener']>): boolean =>
  local.port === port && (address === undefined || local.address === address);

/** Only connections that came in by this listener, and those who hold it. */
function onlyOf(snapshot: Snapshot, { port }: { port: number }, isMeant: (it: Process) => boolean): Snapshot {
  const meant = [...snapshot.processes.values()].filter(isMeant);
  const netns = new Set(meant.map((it) => it.netns));
  const held = (inode: number | undefined): boolean =>
    inode === undefined || meant.some(({ sockets }) => sockets?.has(inode) === true);
  const { closedButHeld: _closed, closedButHeldAtMost: _most, ...rest } = snapshot;
  const sockets = snapshot.sockets.filter(
    (it) => it.state !== 'CLOSE_WAIT' || (it.local.port === port && netns.has(it.netns) && held(it.inode)),
  );
  return { ...rest, sockets };
}

/** Names of units are used again in containers, and the beginning of an id may be that of several. */
function requireOne({ unit, container }: Whom, findings: Finding[]): void {
  if (unit === undefined && container === undefined) return;
  const places = findings.map(({ subject: { process } }) => `${process?.container?.id} ${unit && process?.unit}`);
  if (new Set(places).size > 1)
    throw new UnclosedError('USAGE', `${unit ?? container} is the name of several`, 'name the process by its pid');
}

/** The finding with a meant process at its head: one that nobody has named is not acted on, however much it holds. */
function ledBy(finding: Finding, isMeant: (it: Process) => boolean, takenAt: number): Finding | undefined {
  const { subject } = finding;
  const { process, coHolders } = subject;
  if (process && isMeant(process)) return finding;
  const named = coHolders.find((it) => isMeant(it.process))?.process;
  if (!named) return undefined;
  const others = coHolders.filter((it) => it.process !== named);
  // What was judged of the other process is not true of this one: who watches the sockets, who waits, what is used up.
  const { traits: judged, waits: _waits, siblings: _siblings, ...rest } = subject;
  const { fds: _fds, ...plain } = finding;
  const { openFds, fdLimit } = named;
  const olderThanHolder = areOlderThan(named, takenAt, subject.sockets);
  const traits = judged && { ...judged, olderThanHolder };
  if (traits) delete traits.interest;
  return {
    ...plain,
    ...(openFds !== undefined && { fds: { open: openFds, ...(fdLimit !== undefined && { limit: fdLimit }) } }),
    subject: {
      ...rest,
      process: named,
      ...(traits && { traits }),
      coHolders: process ? [{ process, sockets: subject.sockets.length }, ...others] : others,
    },
  };
}

const CAP_SYS_RESOURCE = 1n << 24n; // include/uapi/linux/capability.h

function circumstancesOf(machine: Machine, { action, socketsOnly, fdLimit }: ReliefOptions): Circumstances {
  const status = attempt(() => parseStatus(readText(machine, '/proc/self/status'), '/proc/self/status'));
  const mostFds = Number(attempt(() => readText(machine, '/proc/sys/fs/nr_open')) ?? Number.NaN);
  const own = attempt(() => parseCgroup(readText(machine, '/proc/self/cgroup'), '/proc/self/cgroup'));
  return {
    ...(action && { wanted: action }),
    socketsOnly,
    mayRaiseAny: ((status?.capEff ?? 0n) & CAP_SYS_RESOURCE) !== 0n,
    ...(status?.uid !== undefined && { uid: status.uid }),
    ...(mostFds > 0 && { mostFds }),
    ...(fdLimit !== undefined && { fdLimit }),
    ours: ancestors(machine, process.pid),
    ...(own?.unit !== undefined && { ownUnit: own.unit }),
    ...(own?.container && { ownContainer: own.container.id }),
  };
}

/** This process and all above it: shells, sudo, a session, a supervisor. */
function ancestors(machine: Machine, own: number): Set<number> {
  const ours = new Set<number>();
  for (let pid: number | undefined = own; pid !== undefined && !ours.has(pid); ) {
    ours.add(pid);
    const path: string = `/proc/${pid}/stat`;
    pid = attempt(() => parseStat(readText(machine, path), path))?.parent;
  }
  return ours;
}

/** A decision to thaw with the processes that run on then; a refusal where that would be more than the cgroup's own. */
function withCgroup(decision: Decision, pid: number): Decision {
  if (decision.kind !== 'act' || decision.action !== 'thaw') return decision;
  try {
    const { directory, pids } = frozenCgroupOf(pid);
    const all = `every process of its cgroup runs on where it was frozen (${pids} in ${directory})`;
    return { ...decision, notices: [all, ...decision.notices.slice(1)] };
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const why = error.code === 'EBUSY' ? error.call : `its frozen cgroup was not found: ${error.message}`;
    return { kind: 'refused', why, instead: ['thaw it there: whatever is below runs on then'] };
  }
}

function planOf(finding: Finding, circumstances: Circumstances, { olderThanMs }: ReliefOptions): ReliefPlan {
  const { subject, cause, confidence, age, arrivals, fds } = finding;
  const decision = withCgroup(decide(finding, circumstances), subject.process?.pid ?? 0);
  const fdLimit = raisedLimit(finding, circumstances);
  const raises = decision.kind === 'act' && decision.action === 'raise-fd-limit';
  return {
    ...(subject.process && { process: subject.process }),
    cause,
    confidence,
    stuck: subject.kind === 'closed' ? subject.closedFds : subject.sockets.length,
    ...(age && { oldestMs: age.oldestMs }),
    peers: subject.peers.map(({ address, sockets }) => ({ address, sockets })),
    decision,
    selection: selectSockets(finding, olderThanMs),
    olderThanMs,
    ...(arrivals && { perHour: arrivals.perHour }),
    ...(fds?.fullInMs !== undefined && { fullInMs: fds.fullInMs }),
    ...(raises && fdLimit && { fdLimit }),
  };
}

/** What is done to a whole process is done once, however many findings call for it. */
function withoutRepeats(plans: ReliefPlan[]): ReliefPlan[] {
  const seen = new Set<string>();
  return plans.filter(({ process, decision }) => {
    if (decision.kind !== 'act' || ['keepalive', 'shutdown', 'destroy'].includes(decision.action)) return true;
    const { action } = decision;
    const whole =
      action === 'restart-unit'
        ? process?.unit
        : action === 'restart-container'
          ? process?.container?.id
          : process?.pid;
    const key = `${action} ${whole}`;
    return seen.has(key) ? false : seen.add(key);
  });
}
