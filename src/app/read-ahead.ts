import { attempt } from '../kernel/attempt.ts';
import { type Machine, readText } from '../kernel/machine.ts';
import { parseSockstat } from '../parse/sockstat.ts';
import type { CaptureOptions } from './search.ts';
import { MOST_OTHERS, statesToFind } from './states.ts';

/**
 * Where a machine has so many sockets that the kernel's pass over them takes long, lets it begin in other threads, while this
 * one does what is to be done meanwhile.
 */
export async function readAhead(
  machine: Machine,
  { pids, closedButHeld }: CaptureOptions,
  meanwhile?: () => Promise<unknown>,
): Promise<void> {
  if (!machine.readAhead || pids) return;
  const { alloc = 0 } = attempt(() => parseSockstat(readText(machine, '/proc/net/sockstat'))) ?? {};
  if (alloc > MOST_OTHERS)
    await Promise.all([machine.readAhead({ states: statesToFind(false, closedButHeld) }, alloc), meanwhile?.()]);
}
