import { attempt } from '../kernel/attempt.ts';
import { readFrozen } from '../kernel/holder-evidence.ts';
import { readText } from '../kernel/machine.ts';
import { parseStat } from '../parse/proc-pid.ts';
import type { Subject } from './subject.ts';

/** Why a process cannot answer now: it is stopped, traced, frozen or dead. Undefined when it runs or sleeps. */
export function standsStill({ machine, process: { pid } }: Subject): string | undefined {
  const path = `/proc/${pid}/stat`;
  const state = attempt(() => parseStat(readText(machine, path), path))?.state;
  if (state === undefined) return 'gone';
  if (state === 'stopped' || state === 'traced' || state === 'zombie' || state === 'dead') return state;
  return readFrozen(machine, pid) === true ? 'frozen' : undefined;
}
