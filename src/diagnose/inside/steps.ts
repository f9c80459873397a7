import type { Cause, CodePlace, NextStep } from '../../model/finding.ts';
import type { Inside } from '../../model/inside.ts';
import { placeText } from '../../model/place-text.ts';

/** What to do about what only a look inside can tell; undefined where the steps of the cause hold. */
export function stepsInside({ deadlocks = [] }: Inside): NextStep[] | undefined {
  if (deadlocks.length === 0) return undefined;
  return [
    { why: 'take these locks in one order everywhere, or give up after a while (tryLock with a time-out)' },
    { why: 'only a restart ends this deadlock: no time-out and no closed connection does' },
  ];
}

/** What to change in the line that was found, where that is plain. */
export function stepsInCode(cause: Cause, code: readonly CodePlace[] = []): NextStep[] {
  const [first] = code;
  if (!first?.frame) return [];
  const place = placeText(first.frame);
  if (first.role === 'read-end' && cause === 'missing-close')
    return [{ why: `close the connection when ${place} reads its end` }];
  if (first.role === 'handler' && first.what === 'end' && cause === 'missing-close')
    return [{ why: `call end() or destroy() on every path of ${place}` }];
  if (
    first.role === 'waits' &&
    (cause === 'stalled' || cause === 'accept-backlog') &&
    /^waits to (?:receive|connect|send) \w+ (?!(?:a )?client\b)/.test(first.what ?? '')
  )
    return [{ why: `give the call in ${place} a time-out` }];
  if (first.role === 'waits' && first.kind === 'goroutine' && cause === 'stalled')
    return [{ why: `find out what ${place} waits for, and whether who reads from these connections has returned` }];
  const waitsForLock = first.role === 'waits' && /^waits for (?!events|a child)/.test(first.what ?? '');
  if (waitsForLock && cause === 'stalled' && (first.strands ?? 0) > 1)
    return [{ why: `find out what ${place} waits for, who has it, and why it is not given back` }];
  return [];
}
