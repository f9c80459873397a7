import type { Deadlock } from '../../model/inside.ts';

// DeadlockCycle::print_on_with in src/hotspot/share/services/threadService.cpp, the same since JDK 8: the threads of a circle,
// each in quotes with a colon, then their stacks.

/** The circles, from the lines behind the list of threads. */
export function parseDeadlocks(lines: readonly string[]): Deadlock[] {
  const found: Deadlock[] = [];
  let strands: string[] | undefined;
  for (const line of lines) {
    if (/^Found one Java-level deadlock/.test(line)) {
      strands = [];
      found.push({ strands });
    } else if (line.startsWith('Java stack information')) {
      strands = undefined;
    } else {
      const name = /^"(.*)":$/.exec(line)?.[1];
      if (name !== undefined) strands?.push(name);
    }
  }
  return found.filter(({ strands: named }) => named.length > 0);
}
