import { attempt } from '../../kernel/attempt.ts';
import { readText } from '../../kernel/machine.ts';
import type { ClassCount } from '../../model/inside.ts';
import { parseHistogram } from '../../parse/java/histogram.ts';
import { type Counted, tellingClasses } from '../../parse/java/telling-classes.ts';
import { parseProcNetTcp } from '../../parse/proc-net.ts';
import type { Subject } from '../subject.ts';
import type { AttachClient } from './attach.ts';
import { type Jvm, perfNumber, readPerfData } from './jvm.ts';

const TIMEOUT_MS = 60_000;
/** What one pass over all objects takes, as measured with a heap of 700 MB and 11 million objects. */
const SECONDS_PER_GB = 0.3;

/** Counts the objects of each class, and the stuck sockets at the same moment. */
export async function countClasses(subject: Subject, client: AttachClient): Promise<Counted> {
  subject.announce(`a class histogram: the JVM (pid ${client.jvm.pid}) stands still for ${expected(client.jvm)}`);
  const { text } = await client.ask({ what: 'class histogram', timeoutMs: TIMEOUT_MS }, 'inspectheap', '-all');
  const stuck = attempt(() => countStuck(subject));
  return { classes: parseHistogram(text), ...(stuck !== undefined && { stuck }) };
}

/** `-all` counts what is garbage too, and so does not collect it first: that would take twice as long. */
export const compareClasses = (before: Counted, after?: Counted): ClassCount[] => tellingClasses(before, after);

function expected(jvm: Jvm): string {
  const bytes = heapBytes(jvm);
  if (bytes === undefined) return `about ${SECONDS_PER_GB} s for each GB of its heap`;
  const gigabytes = bytes / 2 ** 30;
  return `at most ${Math.max(10, Math.ceil(gigabytes * SECONDS_PER_GB * 1000))} ms (${SECONDS_PER_GB} s for each GB, heap of ${gigabytes.toFixed(1)} GB)`;
}

/** What is used is told after each collection; before the first one, only how large the heap is. */
function heapBytes(jvm: Jvm): number | undefined {
  const perf = readPerfData(jvm);
  const capacities = [0, 1].map((generation) => perfNumber(perf, `sun.gc.generation.${generation}.capacity`));
  const sum = capacities.reduce<number>((total, bytes) => total + (bytes ?? 0), 0);
  return sum > 0 ? sum : undefined;
}

function countStuck({ machine, process: { pid } }: Subject): number {
  const { sockets } = machine.fdTable(pid);
  let stuck = 0;
  for (const file of ['tcp', 'tcp6']) {
    const path = `/proc/${pid}/net/${file}`;
    const text = attempt(() => readText(machine, path)); // without IPv6 the second is not there
    for (const { state, inode } of parseProcNetTcp(text ?? '', path).rows)
      if (state === 'CLOSE_WAIT' && sockets.has(inode)) stuck++;
  }
  return stuck;
}
