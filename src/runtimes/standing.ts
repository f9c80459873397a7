import { attempt } from '../kernel/attempt.ts';
import { type Machine, readText } from '../kernel/machine.ts';
import { freezerFiles, parseFrozen } from '../parse/freezer.ts';
import { parseStat } from '../parse/proc-pid.ts';

/** `ended`: it is no more, or another process has its number. */
export type Standstill = 'stopped' | 'traced' | 'frozen' | 'ended';

/**
 * Why a process cannot answer now; undefined when it runs or sleeps. Where it is known when it began (`startTicks`), one that began
 * at another time is another one.
 */
export function standsStill(machine: Machine, pid: number, startTicks?: number): Standstill | undefined {
  const path = `/proc/${pid}/stat`;
  const stat = attempt(() => parseStat(readText(machine, path), path));
  if (!stat || (startTicks !== undefined && stat.startTicks !== startTicks)) return 'ended';
  const { state } = stat;
  if (state === 'zombie' || state === 'dead') return 'ended';
  if (state === 'stopped' || state === 'traced') return state;
  return isFrozen(machine, pid) ? 'frozen' : undefined;
}

/** Where both versions of the freezer are mounted, each can have stopped it. */
function isFrozen(machine: Machine, pid: number): boolean {
  const cgroup = attempt(() => readText(machine, `/proc/${pid}/cgroup`)) ?? '';
  return freezerFiles(cgroup).some((path) => attempt(() => parseFrozen(readText(machine, path))) === true);
}
