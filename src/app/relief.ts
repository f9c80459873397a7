import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Verdict, verdictOn } from '../diagnose/relief/verdict.ts';
import { attempt } from '../kernel/attempt.ts';
import { type Machine, readText } from '../kernel/machine.ts';
import { isGone, SystemError, UnclosedError } from '../model/errors.ts';
import type { Deed, Measure, ReliefPlan } from '../model/relief.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { freezerFiles, parseFrozen } from '../parse/freezer.ts';
import { parseLimits, parseStat } from '../parse/proc-pid.ts';
import { captureFrom } from './capture.ts';
import { record } from './look.ts';
import { liveMachine } from './machine.ts';
import { type ActOptions, act, inWords, openTarget } from './relief-act.ts';
import { planRelief, type ReliefLook, type ReliefOptions } from './relief-plan.ts';
import type { ActionLog } from './state.ts';

type Target = Awaited<ReturnType<typeof openTarget>>;

/** What shall be done, with each process held so that no other one can take its place. */
export type Relief = { look: ReliefLook; targets: Map<number, Target> };

/** Looks, decides, and takes hold of the processes concerned. Changes nothing. */
export async function prepareRelief(options: ReliefOptions): Promise<Relief> {
  const look = planRelief(await liveMachine(), options);
  const targets = new Map<number, Target>();
  for (const plan of look.plans) {
    const { process, decision } = plan;
    if (decision.kind !== 'act' || !process || targets.has(process.pid)) continue;
    try {
      targets.set(process.pid, await openTarget(process));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      plan.decision = isGone(error)
        ? { kind: 'nothing', why: 'the process has ended meanwhile' }
        : { kind: 'refused', why: inWords(error), instead: [] };
    }
  }
  return { look, targets };
}

export type Result = {
  plan: ReliefPlan;
  deed: Deed;
  before: Measure;
  after: Measure;
  verdict: Verdict;
  /** Why the outcome is not in the log, as it should be. */
  notKept?: string;
};

export type CarryOutOptions = ReliefOptions & ActOptions & { evidence: boolean };

/**
 * Saves what there is to see, looks again, and does what was shown, where it still is what was shown. Everything is written
 * down before and after. Gives what was measured.
 */
export async function carryOut(
  { look, targets }: Relief,
  log: ActionLog,
  options: CarryOutOptions,
): Promise<{ results: Result[]; evidence?: string }> {
  log.prepare();
  const evidence = options.evidence ? join(log.directory, 'evidence', log.run) : undefined;
  if (evidence !== undefined) await record(evidence, { scrub: false, stuckAfterMs: options.limits.stuckAfterMs });
  const machine = await liveMachine();
  const now = planRelief(machine, options);
  const results: Result[] = [];
  for (const shown of look.plans) {
    if (shown.decision.kind !== 'act' || !shown.process) continue;
    const { pid } = shown.process;
    const { action } = shown.decision;
    const plan = stillSo(shown, now.plans);
    const before = measure(machine, pid, now.snapshot);
    log.append('begin', { ...written(shown), ...(evidence !== undefined && { evidence }) });
    const target = targets.get(pid);
    const deed: Deed =
      target && plan
        ? await act(plan, target, options)
        : {
            pid,
            action,
            failed: plan ? 'the process has ended meanwhile' : 'it is no longer as it was shown: look again',
          };
    if (action === 'keepalive') await sleep(PROBES_MS);
    const after = await measureAfter(machine, pid, target);
    const verdict = verdictOn(plan ?? shown, deed, before, after, {
      socketsOnly: options.socketsOnly,
      ...deadline(shown),
    });
    const kept = noteEnd(log, { deed, before: numbers(before), after: numbers(after), verdict });
    results.push({ plan: plan ?? shown, deed, before, after, verdict, ...(kept !== undefined && { notKept: kept }) });
  }
  return { results, ...(evidence !== undefined && { evidence }) };
}

/** It has been done: that it could not be written down must not hide what came of it. */
function noteEnd(log: ActionLog, what: Record<string, unknown>): string | undefined {
  try {
    log.append('end', what);
    return undefined;
  } catch (error) {
    if (!(error instanceof UnclosedError)) throw error;
    return error.message;
  }
}

export function releaseTargets({ targets }: Relief): void {
  for (const target of targets.values()) target.close();
  targets.clear();
}

/** The plan as it would be made now, with only those sockets that were shown. Undefined when another one would be made. */
function stillSo(shown: ReliefPlan, plans: ReliefPlan[]): ReliefPlan | undefined {
  const { process, decision, cause } = shown;
  // Several findings of a process can have one cause, and a socket may have gone from one to another.
  const [same, ...more] = plans.filter(
    (it) =>
      it.process?.pid === process?.pid &&
      it.process?.startedAt === process?.startedAt &&
      it.cause === cause &&
      it.decision.kind === 'act' &&
      decision.kind === 'act' &&
      it.decision.action === decision.action,
  );
  if (!same) return undefined;
  const inodes = new Set(shown.selection.sockets.map(({ socket }) => socket.inode));
  const sockets = [same, ...more].flatMap(({ selection }) => selection.sockets);
  const selection = { ...same.selection, sockets: sockets.filter(({ socket }) => inodes.has(socket.inode)) };
  return { ...same, selection, ...(shown.fdLimit && { fdLimit: shown.fdLimit }) };
}

/** Programs that are told of an end need a moment to close; probes take three seconds. */
const SETTLE_MS = 3000;
const PROBES_MS = 4000;
const SETTLE_STEP_MS = 250;

/** Measures until nothing changes any more, or for so long. */
async function measureAfter(machine: Machine, pid: number, target: Target | undefined): Promise<Measure> {
  let last: Measure | undefined;
  for (const end = Date.now() + SETTLE_MS; ; ) {
    await sleep(SETTLE_STEP_MS);
    const now = target && !target.hasEnded() ? measure(machine, pid) : GONE;
    const same = last && JSON.stringify(numbers(last)) === JSON.stringify(numbers(now));
    last = now;
    if (!now.alive || (same && Date.now() > end - SETTLE_MS / 2) || Date.now() > end) return now;
  }
}

const GONE: Measure = { alive: false, closeWait: new Set() };

/** What is known of a process now: from a look at it alone, or from the one at hand. */
function measure(machine: Machine, pid: number, seen?: Snapshot): Measure {
  let snapshot: Snapshot;
  try {
    snapshot = seen ?? captureFrom(machine, { pids: [pid], young: true, closedButHeld: 'always' });
  } catch (error) {
    if (error instanceof UnclosedError && error.code === 'NO_SUCH_PROCESS') return GONE;
    throw error;
  }
  const table = attempt(() => machine.fdTable(pid));
  const held = table && new Set(table.sockets.keys());
  const limits = attempt(() => parseLimits(readText(machine, `/proc/${pid}/limits`), 'limits'));
  const state = attempt(() => parseStat(readText(machine, `/proc/${pid}/stat`), 'stat').state);
  const closed = snapshot.closedButHeld?.filter((it) => it.pid === pid).length;
  return {
    alive: state !== undefined && state !== 'zombie' && state !== 'dead',
    ...(table?.count !== undefined && { openFds: table.count }),
    ...(limits?.soft !== undefined && { fdLimit: limits.soft }),
    halted: state === 'stopped' || state === 'traced' || isFrozen(machine, pid),
    closeWait: new Set(
      snapshot.sockets.flatMap(({ state: tcp, inode }) =>
        tcp === 'CLOSE_WAIT' && inode !== undefined && held?.has(inode) ? inode : [],
      ),
    ),
    ...(held && { held }),
    ...(closed !== undefined && { closedHeld: closed }),
  };
}

const isFrozen = (machine: Machine, pid: number): boolean =>
  freezerFiles(attempt(() => readText(machine, `/proc/${pid}/cgroup`)) ?? '').some(
    (path) => attempt(() => parseFrozen(readText(machine, path))) === true,
  );

/** When the descriptors run out, by the clock on the wall. */
function deadline({ fullInMs }: ReliefPlan): { deadline?: string } {
  if (fullInMs === undefined) return {};
  const at = new Date(Date.now() + fullInMs);
  const clock = at.toTimeString().slice(0, 5);
  return { deadline: fullInMs < 12 * 3600_000 ? clock : `${at.toISOString().slice(0, 10)} ${clock}` };
}

/** A plan for the log: without what is only for the screen. */
function written({ process, cause, confidence, decision, selection, fdLimit }: ReliefPlan): Record<string, unknown> {
  return {
    pid: process?.pid,
    name: process?.name,
    started_at: process?.startedAt,
    unit: process?.unit,
    container: process?.container?.id,
    cause,
    confidence,
    action: decision.kind === 'act' ? decision.action : decision.kind,
    sockets: selection.sockets.map(({ socket, fd }) => ({
      fd,
      inode: socket.inode,
      local: socket.local,
      peer: socket.peer,
    })),
    fd_limit: fdLimit,
  };
}

const numbers = ({ alive, openFds, fdLimit, halted, closeWait, closedHeld }: Measure): Record<string, unknown> => ({
  alive,
  fds: openFds,
  fd_limit: fdLimit,
  halted,
  close_wait: closeWait.size,
  closed_but_held: closedHeld,
});
