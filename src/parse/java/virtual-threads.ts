import { ParseError } from '../../model/errors.ts';
import type { Strand } from '../../model/inside.ts';
import { parseFrame } from './thread-dump.ts';

// What `Thread.dump_to_file -format=json` writes (jdk.internal.vm.ThreadDumper, JDK 21 and later): all threads in the containers
// that they were started in. Numbers are texts before JDK 25.

const MOST_FRAMES = 200;
const MOST_STRANDS = 2000;
/** Virtual threads that wait for sockets on behalf of the others. */
const POLLER = /^(?:Sub|Read-|Write-)Poller/;

/**
 * Virtual threads: those whose number is not in `platform`. They are many, so those that do exactly the same are told once, with
 * their count and without a name.
 */
export function parseVirtualThreads(
  text: string,
  platform: ReadonlySet<number>,
): { strands: Strand[]; leftOut: number } {
  const groups = new Map<string, { names: string[]; stack: string[]; count: number }>();
  for (const thread of threadsIn(text)) {
    const { tid, name, stack } = thread as { tid?: unknown; name?: unknown; stack?: unknown };
    const number = typeof tid === 'string' || typeof tid === 'number' ? Number(tid) : Number.NaN;
    if (platform.has(number) || !Array.isArray(stack)) continue;
    const lines = stack.filter((line) => typeof line === 'string').slice(0, MOST_FRAMES);
    const key = lines.join('\n');
    const group = groups.get(key) ?? { names: [], stack: lines, count: 0 };
    groups.set(key, group);
    group.count++;
    if (group.count === 1)
      group.names = typeof name === 'string' && name !== '' ? [name] : [`virtual thread #${number}`];
  }
  const all = [...groups.values()].sort((one, other) => other.count - one.count);
  const strands = all.slice(0, MOST_STRANDS).map(({ names, stack, count }): Strand => {
    const [name = ''] = names;
    return {
      kind: 'thread',
      name: count === 1 ? name : 'virtual threads',
      ...(count > 1 && { count }),
      frames: stack.flatMap(frameOf),
      ...(POLLER.test(name) && { ofRuntime: true as const }),
    };
  });
  return { strands, leftOut: Math.max(0, all.length - MOST_STRANDS) };
}

function threadsIn(text: string): object[] {
  let dump: { threadDump?: { threadContainers?: unknown } };
  try {
    dump = JSON.parse(text);
  } catch (error) {
    throw new ParseError('thread dump in JSON', (error as Error).message);
  }
  const containers = dump?.threadDump?.threadContainers;
  if (!Array.isArray(containers)) throw new ParseError('thread dump in JSON', 'there are no threadContainers');
  return containers
    .flatMap((container: { threads?: unknown } | null) => (Array.isArray(container?.threads) ? container.threads : []))
    .filter((thread) => typeof thread === 'object' && thread !== null);
}

/** `java.base/java.lang.Thread.sleep(Thread.java:540)`: loader and module stand before the class. */
function frameOf(line: string): ReturnType<typeof parseFrame>[] {
  const [, method, place] = /^([^()]*)\(([^()]*)\)$/.exec(line.slice(0, LONGEST_LINE)) ?? [];
  if (method === undefined || place === undefined) return [];
  return [parseFrame(method.replace(/^(?:[\w.]*(?:@[^/$]*)?\/){1,2}/, ''), place)];
}

const LONGEST_LINE = 1000;
