import type { NextStep } from '../../model/finding.ts';
import type { Inside } from '../../model/inside.ts';

/** What to do about what only a look inside can tell; undefined where the steps of the cause hold. */
export function stepsInside({ deadlocks = [] }: Inside): NextStep[] | undefined {
  if (deadlocks.length === 0) return undefined;
  return [
    { why: 'take these locks in one order everywhere, or give up after a while (tryLock with a time-out)' },
    { why: 'only a restart ends this deadlock: no time-out and no closed connection does' },
  ];
}
