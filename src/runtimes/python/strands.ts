import { attempt } from '../../kernel/attempt.ts';
import { tidsByInner, tidsOf } from '../../kernel/tids.ts';
import * as gaps from './gaps.ts';
import type { Look } from './look.ts';
import { namedThreads } from './thread-names.ts';
import {
  describeStack,
  interpreters,
  type Lock,
  type PythonThread,
  readLock,
  readStack,
  threadsOf,
} from './threads.ts';
import { asleep, tidOf } from './tids.ts';
import { unlessTorn } from './torn.ts';

/** All threads that the interpreter knows. One that cannot be read costs no other. */
export function readThreads(look: Look): void {
  const { heap, runtime, subject, inside } = look;
  const { machine, process } = subject;
  const tids = tidsByInner(machine, process.pid, attempt(() => tidsOf(machine, process.pid)) ?? []);
  const cut: string[] = [];
  const all = interpreters(heap, runtime);
  for (const interpreter of all) {
    const named = namedThreads(heap, interpreter);
    for (const thread of threadsOf(heap, interpreter)) {
      if (subject.signal.aborted) break;
      const known = named.get(thread.ident);
      // New interpreters come first, the main one is last. A thread of another can have the number of the thread that made it.
      const numbers = interpreter === all.at(-1) ? { tids, arch: subject.arch } : undefined;
      const tid = numbers && tidOf(heap, thread, known, numbers);
      const whole = readThread(look, interpreter, thread, { tid, name: known?.name });
      if (!whole) cut.push(known?.name ?? (tid === undefined ? 'one without a name' : `thread ${tid}`));
    }
  }
  if (cut.length > 0) inside.gaps.push(gaps.stacksCut(cut));
}

/** Whether its whole stack is known. */
function readThread(
  { heap, runtime, subject, codes, frames, strands }: Look,
  interpreter: number,
  thread: PythonThread,
  { tid, name }: { tid: number | undefined; name: string | undefined },
): boolean {
  const lock = () => unlessTorn(() => readLock(heap, runtime, interpreter));
  const standing = () => asleep(subject.machine, subject.process.pid, tid) ?? withoutLock(lock(), thread.state);
  const stack = readStack(heap, thread.state, standing);
  const described = stack && unlessTorn(() => describeStack(heap, codes, stack.frames));
  const now = lock();
  strands.push({
    kind: 'thread',
    ...(name !== undefined && { name }),
    ...(tid !== undefined && { tid }),
    frames: described ?? [],
    ...(now && { holdsInterpreter: now.locked && now.holder === thread.state }),
  });
  if (!stack?.whole || !described) return false;
  frames.push(...stack.frames);
  return true;
}

/** A thread that another one was given the interpreter after, and that was not given it since, runs nothing of the program. */
const withoutLock = (lock: Lock | undefined, thread: number): string | undefined =>
  lock && lock.holder !== thread ? `${lock.holder} ${lock.switches}` : undefined;
