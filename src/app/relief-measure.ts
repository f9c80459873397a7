import { setTimeout as sleep } from 'node:timers/promises';
import { attempt } from '../kernel/attempt.ts';
import { type Machine, readText } from '../kernel/machine.ts';
import { UnclosedError } from '../model/errors.ts';
import type { Measure } from '../model/relief.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { freezerFiles, parseFrozen } from '../parse/freezer.ts';
import { parseLimits, parseStat } from '../parse/proc-pid.ts';
import { captureFrom } from './capture.ts';

// What is true of a process before and after something was done to it.

/** Programs that are told of an end need a moment to close. */
const SETTLE_MS = 3000;
const SETTLE_STEP_MS = 250;

/** Measures until nothing changes any more, or for so long. */
export async function measureAfter(
  machine: Machine,
  pid: number,
  target: { hasEnded(): boolean } | undefined,
): Promise<Measure> {
  let last: Measure | undefined;
  for (const end = Date.now() + SETTLE_MS; ; ) {
    await sleep(SETTLE_STEP_MS);
    const now = target && !target.hasEnded() ? measure(machine, pid) : GONE;
    const same = last && JSON.stringify(numbers(last)) === JSON.stringify(numbers(now));
    last = now;
    if (!now.alive || (same && Date.now() > end - SETTLE_MS / 2) || Date.now() > end) return now;
  }
}

export const GONE: Measure = { alive: false, closeWait: new Set() };

/** What is known of a process now: from a look at it alone, or from the one at hand. */
export function measure(machine: Machine, pid: number, seen?: Snapshot): Measure {
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

/** Without the single sockets: for the log, and to see whether something still moves. */
export const numbers = ({
  alive,
  openFds,
  fdLimit,
  halted,
  closeWait,
  closedHeld,
}: Measure): Record<string, unknown> => ({
  alive,
  fds: openFds,
  fd_limit: fdLimit,
  halted,
  close_wait: closeWait.size,
  closed_but_held: closedHeld,
});
