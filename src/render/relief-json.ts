import type { Evidence, Measure, ReliefPlan, ReliefResult } from '../model/relief.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { escapeControls, isoTime, seconds } from './json.ts';

const RELIEF_SCHEMA = 'unclosed.relief/1';

/** What was shown, and what came of it where something was done. */
export type ReliefAnswer = {
  result: 'dry-run' | 'done' | 'nothing' | 'refused' | 'failed';
  plans: ReliefPlan[];
  olderThanMs: number;
  results?: ReliefResult[];
  evidence?: Evidence;
  /** The log in which it is written down. */
  log?: string;
};

/** The stable machine form: schema/relief.json describes it. Times are seconds; what is not known is null. */
export function renderReliefJson(answer: ReliefAnswer, { takenAt, gaps }: Snapshot): string {
  const { result, plans, olderThanMs, results, evidence, log } = answer;
  const document = {
    schema: RELIEF_SCHEMA,
    taken_at: isoTime(takenAt / 1000),
    result,
    older_than: seconds(olderThanMs),
    plans: plans.map((plan) => {
      const mine = results?.find(({ shown }) => shown === plan);
      return { ...planOf(plan), outcome: mine ? outcomeOf(mine) : null };
    }),
    evidence: evidence
      ? { recording: evidence.recording, inspected: evidence.inspected, missed: evidence.missed }
      : null,
    log: log ?? null,
    gaps,
  };
  return `${escapeControls(JSON.stringify(document, null, 2))}\n`;
}

function planOf(plan: ReliefPlan): object {
  const { process, cause, confidence, stuck, oldestMs, perHour, fullInMs, peers, decision, selection, fdLimit } = plan;
  const { leftOut } = selection;
  return {
    process: process
      ? {
          pid: process.pid,
          name: process.name,
          started_at: process.startedAt === undefined ? null : isoTime(process.startedAt),
          unit: process.unit ?? null,
          container: process.container ?? null,
          fds: { open: process.openFds ?? null, limit: finite(process.fdLimit) },
        }
      : null,
    cause,
    confidence,
    stuck,
    oldest: oldestMs === undefined ? null : seconds(oldestMs),
    per_hour: perHour === undefined ? null : Math.round(perHour * 10) / 10,
    full_in: fullInMs === undefined ? null : seconds(fullInMs),
    peers,
    decision: decision.kind,
    action: decision.kind === 'act' ? decision.action : null,
    why: decision.why,
    notices: decision.kind === 'act' ? decision.notices : [],
    will_not: decision.kind === 'act' ? decision.willNot : [],
    instead: decision.kind === 'refused' ? decision.instead : [],
    sockets: selection.sockets.map(({ fd, socket: { inode, netns, local, peer } }) => ({
      fd,
      inode: inode ?? null,
      netns,
      local,
      peer,
    })),
    left_out: { young: leftOut.young, age_unknown: leftOut.unsure, sent_on: leftOut.used, shared: leftOut.shared },
    fd_limit: fdLimit ?? null,
  };
}

function outcomeOf({ deed, before, after, verdict, notKept }: ReliefResult): object {
  const { acted, left = {}, failed, restarted } = deed;
  return {
    result: verdict.result,
    text: verdict.text,
    acted_on: acted?.length ?? null,
    left: Object.entries(left).map(([why, sockets]) => ({ why, sockets })),
    failed: failed ?? null,
    restarted: restarted ? { ...restarted, pid: restarted.pid ?? null } : null,
    before: measureOf(before),
    after: measureOf(after),
    appeared: [...after.closeWait].filter((inode) => !before.closeWait.has(inode)).length,
    not_written_down: notKept ?? null,
  };
}

const measureOf = ({ alive, openFds, fdLimit, halted, closeWait, closedHeld }: Measure): object => ({
  alive,
  fds: openFds ?? null,
  fd_limit: finite(fdLimit),
  halted: halted ?? null,
  close_wait: alive ? closeWait.size : null,
  closed_but_held: closedHeld ?? null,
});

const finite = (value: number | undefined): number | null =>
  value === undefined || !Number.isFinite(value) ? null : value;
