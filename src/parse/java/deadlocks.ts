import type { Deadlock } from '../../model/inside.ts';

// DeadlockCycle::print_on_with in src/hotspot/share/services/threadService.cpp, the same since JDK 8: each thread in quotes with
// a colon and who has what it waits for, then all stacks. Threads that only wait for one in the circle may stand there, too.

/** The circles, from the lines behind the list of threads. */
export function parseDeadlocks(lines: readonly string[]): Deadlock[] {
  const found: Map<string, string | undefined>[] = [];
  let waits: Map<string, string | undefined> | undefined;
  let last = '';
  for (const line of lines) {
    if (line.startsWith('Found one Java-level deadlock')) {
      waits = new Map();
      found.push(waits);
    } else if (line.startsWith('Java stack information')) {
      waits = undefined;
    } else if (waits) {
      const name = /^"(.*)":$/.exec(line)?.[1];
      const owner = /^ {2}which is held by "(.*)"$/.exec(line)?.[1];
      if (name !== undefined) waits.set(name, undefined);
      if (name !== undefined) last = name;
      if (owner !== undefined) waits.set(last, owner);
    }
  }
  return found.filter(({ size }) => size > 0).map((one) => ({ strands: circleIn(one) }));
}

/** Those that wait for each other; all of them where names that several threads have, or unknown owners, hide the circle. */
function circleIn(waits: ReadonlyMap<string, string | undefined>): string[] {
  const way: string[] = [];
  for (let name = [...waits.keys()].at(0); name !== undefined; name = waits.get(name)) {
    const at = way.indexOf(name);
    if (at >= 0) return way.slice(at);
    way.push(name);
  }
  return [...waits.keys()];
}
