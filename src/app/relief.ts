import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { verdictOn } from '../diagnose/relief/verdict.ts';
import type { Machine } from '../kernel/machine.ts';
import { isGone, SystemError, UnclosedError } from '../model/errors.ts';
import { type Deed, type Evidence, isRestart, type ReliefPlan, type ReliefResult } from '../model/relief.ts';
import { type Inspect, saveEvidence } from './evidence.ts';
import { liveMachine } from './machine.ts';
import { type ActOptions, act, inWords, openTarget } from './relief-act.ts';
import { GONE, measure, measureAfter, numbers } from './relief-measure.ts';
import { planRelief, type ReliefLook, type ReliefOptions } from './relief-plan.ts';
import { objectionToRestart, stateAfter } from './restart.ts';
import type { ActionLog } from './state.ts';

type Target = Awaited<ReturnType<typeof openTarget>>;

/** What shall be done, with each process held so that no other one can take its place. */
export type Relief = { look: ReliefLook; targets: Map<number, Target> };

/** Looks, decides, takes hold of the processes concerned, and asks those who would restart them. Changes nothing. */
export async function prepareRelief(options: ReliefOptions): Promise<Relief> {
  const look = planRelief(await liveMachine(), options);
  const targets = new Map<number, Target>();
  for (const plan of look.plans) {
    const { process, decision } = plan;
    if (decision.kind !== 'act' || !process) continue;
    try {
      if (!targets.has(process.pid)) targets.set(process.pid, await openTarget(process));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      plan.decision = isGone(error)
        ? { kind: 'nothing', why: ENDED }
        : { kind: 'refused', why: inWords(error), instead: [] };
      continue;
    }
    const objection = isRestart(decision.action) ? await objectionToRestart(decision.action, process) : undefined;
    if (objection) plan.decision = { kind: 'refused', ...objection };
  }
  return { look, targets };
}

/** Probes take three seconds. */
const PROBES_MS = 4000;

/** A program that cannot start has ended by then. */
const STARTS_MS = 1500;

const ENDED = 'the process has ended meanwhile';

export type CarryOutOptions = ReliefOptions & ActOptions & { evidence: boolean; inspect?: Inspect };

/**
 * Saves what there is to see, looks again, and does what was shown, where it still is what was shown. Everything is written
 * down before and after. Gives what was measured.
 */
export async function carryOut(
  relief: Relief,
  log: ActionLog,
  options: CarryOutOptions,
): Promise<{ results: ReliefResult[]; evidence?: Evidence }> {
  log.prepare();
  const shown = relief.look.plans.filter(({ decision, process }) => decision.kind === 'act' && process);
  const { inspect, limits } = options;
  const evidence = options.evidence
    ? await saveEvidence(
        join(log.directory, 'evidence', log.run),
        [...new Set(shown.flatMap(({ process }) => process?.pid ?? []))],
        { stuckAfterMs: limits.stuckAfterMs, inspect },
      )
    : undefined;
  const machine = await liveMachine();
  const now = lookAgain(machine, options);
  const results: ReliefResult[] = [];
  for (const plan of shown) {
    log.append('begin', { ...written(plan), ...(evidence && { evidence: evidence.recording }) });
    results.push(await doOne(plan, now, { machine, target: relief.targets.get(plan.process?.pid ?? 0), log }, options));
  }
  return { results, ...(evidence && { evidence }) };
}

/** Undefined when they have all ended. */
function lookAgain(machine: Machine, options: ReliefOptions): ReliefLook | undefined {
  try {
    return planRelief(machine, options);
  } catch (error) {
    if (error instanceof UnclosedError && ['NO_SUCH_PROCESS', 'NOTHING_MATCHES'].includes(error.code)) return undefined;
    throw error;
  }
}

async function doOne(
  shown: ReliefPlan,
  now: ReliefLook | undefined,
  { machine, target, log }: { machine: Machine; target: Target | undefined; log: ActionLog },
  options: CarryOutOptions,
): Promise<ReliefResult> {
  const { process, decision } = shown;
  if (!process || decision.kind !== 'act') throw new Error('nothing to act on');
  const { pid } = process;
  const { action } = decision;
  const gone = target === undefined || target.hasEnded();
  const plan = stillSo(shown, now?.plans ?? []);
  const before = gone ? GONE : measure(machine, pid, now?.snapshot);
  const deed: Deed =
    plan && !gone
      ? await act(plan, target, options)
      : { pid, action, failed: gone ? ENDED : 'it is no longer as it was shown: look again' };
  if (action === 'keepalive') await sleep(PROBES_MS);
  const after = await measureAfter(machine, pid, target);
  if (isRestart(action) && !after.alive && !gone) {
    await sleep(STARTS_MS);
    const restarted = await stateAfter(action, process);
    if (restarted) deed.restarted = restarted;
  }
  const verdict = verdictOn(plan ?? shown, deed, before, after, {
    socketsOnly: options.socketsOnly,
    ...deadline(shown),
  });
  const notKept = noteEnd(log, { deed, before: numbers(before), after: numbers(after), verdict });
  return { shown, plan: plan ?? shown, deed, before, after, verdict, ...(notKept !== undefined && { notKept }) };
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

/**
 * The plan as it would be made now, with only those sockets that were shown. Undefined when another one would be made.
 * What is seen of the cause may have changed with the age of the sockets; that the action is the same is what counts.
 */
function stillSo(shown: ReliefPlan, plans: ReliefPlan[]): ReliefPlan | undefined {
  const { process, decision, cause } = shown;
  const alike = plans.filter(
    (it) =>
      it.process?.pid === process?.pid &&
      it.process?.startedAt === process?.startedAt &&
      it.decision.kind === 'act' &&
      decision.kind === 'act' &&
      it.decision.action === decision.action,
  );
  const same = alike.find((it) => it.cause === cause) ?? alike[0];
  if (!same) return undefined;
  const inodes = new Set(shown.selection.sockets.map(({ socket }) => socket.inode));
  // A socket may have gone from one finding of the process to another.
  const sockets = alike.flatMap(({ selection }) => selection.sockets);
  const selection = { ...same.selection, sockets: sockets.filter(({ socket }) => inodes.has(socket.inode)) };
  return { ...same, selection, ...(shown.fdLimit && { fdLimit: shown.fdLimit }) };
}

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
