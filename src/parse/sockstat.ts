/**
 * Counters of /proc/PID/net/sockstat and sockstat6, `TCP: inuse 4 orphan 0 tw 0 alloc 5 mem 0`:
 * `inuse` counts the sockets of this namespace that are in a TCP table (TIME_WAIT apart), `alloc` all TCP sockets of
 * the machine, also those in no table, `orphan` those of the machine that belong to no file any more (net/ipv4/proc.c:
 * sockstat_seq_show). A counter that is not there is absent.
 */
export type Sockstat = { inuse?: number; orphan?: number; timeWait?: number; alloc?: number };

export function parseSockstat(text: string): Sockstat {
  const line = text.split('\n').find((row) => /^TCP6?:/.test(row));
  if (line === undefined) return {};
  const counter = (name: string): number | undefined => {
    const digits = new RegExp(`\\b${name} ([0-9]{1,15})\\b`).exec(line)?.[1];
    return digits === undefined ? undefined : Number(digits);
  };
  const [inuse, orphan, timeWait, alloc] = ['inuse', 'orphan', 'tw', 'alloc'].map(counter);
  return {
    ...(inuse !== undefined && { inuse }),
    ...(orphan !== undefined && { orphan }),
    ...(timeWait !== undefined && { timeWait }),
    ...(alloc !== undefined && { alloc }),
  };
}
