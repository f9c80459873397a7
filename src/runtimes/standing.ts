import { attempt } from '../kernel/attempt.ts';
import { readFrozen } from '../kernel/holder-evidence.ts';
import { type Machine, readText } from '../kernel/machine.ts';
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
  return readFrozen(machine, pid) === true ? 'frozen' : undefined;
}
