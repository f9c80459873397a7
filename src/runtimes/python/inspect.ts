import { attempt } from '../../kernel/attempt.ts';
import { readText } from '../../kernel/machine.ts';
import { isDenied, isGone, ParseError, type SystemError } from '../../model/errors.ts';
import type { Inside, Strand } from '../../model/inside.ts';
import type { Gap } from '../../model/snapshot.ts';
import { parseMaps } from '../../parse/memory-maps.ts';
import type { Subject } from '../subject.ts';
import type { Codes, RawFrame } from './code.ts';
import { isExpected } from './find.ts';
import { connectingLibraries } from './foreign.ts';
import * as gaps from './gaps.ts';
import { findInterpreter, type Interpreter } from './interpreter.ts';
import { Memory } from './memory.ts';
import { readObjects } from './objects.ts';
import { namedThreads } from './thread-names.ts';
import { describeStack, interpreters, type Lock, readLock, readStack, threadsOf } from './threads.ts';
import { asleep, readTids, tidOf } from './tids.ts';

/** Looks into a CPython by reading its memory. The process is never stopped, and nothing in it is changed. */
export async function inspectPython(subject: Subject): Promise<Inside> {
  const began = performance.now();
  const { pid } = subject.process;
  const inside: Inside = { depth: 'read', runtime: 'python', attachments: [], gaps: [] };
  let memory: Memory | undefined;
  try {
    const maps = parseMaps(readText(subject.machine, `/proc/${pid}/maps`), `/proc/${pid}/maps`);
    const exe = attempt(() => subject.machine.link(`/proc/${pid}/exe`));
    memory = new Memory(pid);
    const found = findInterpreter(pid, memory, maps, exe);
    if ('code' in found) inside.gaps.push(found);
    else readInside(subject, found, connectingLibraries(pid, maps, exe), inside);
  } catch (error) {
    if (!isExpected(error)) throw error;
    inside.gaps.push(gapOf(pid, error));
  } finally {
    memory?.close();
  }
  inside.attachments.push({ what: `read the memory of pid ${pid}`, tookMs: performance.now() - began, pauseMs: 0 });
  return inside;
}

function gapOf(pid: number, error: SystemError | ParseError): Gap {
  if (error instanceof ParseError) return gaps.failed(pid, error.message);
  if (isDenied(error)) return gaps.denied(pid, error.call.replace(/^\S+ /, ''), process.getuid?.() === 0);
  return isGone(error) ? gaps.ended(pid) : gaps.failed(pid, error.message);
}

function readInside(subject: Subject, interpreter: Interpreter, foreign: string[], inside: Inside): void {
  inside.version = interpreter.version;
  const codes: Codes = new Map();
  const frames: RawFrame[] = [];
  inside.strands = readThreads(subject, interpreter, codes, frames, inside.gaps);
  readObjects(subject, interpreter, codes, frames, foreign, inside);
}

/** All threads that the interpreter knows. One that cannot be read costs no other. */
function readThreads(
  { machine, process: { pid }, arch, signal }: Subject,
  { heap, runtime }: Interpreter,
  codes: Codes,
  frames: RawFrame[],
  problems: Gap[],
): Strand[] {
  const tids = readTids(machine, pid);
  const strands: Strand[] = [];
  const cut: string[] = [];
  const all = interpreters(heap, runtime);
  for (const interpreter of all) {
    const named = namedThreads(heap, interpreter);
    // New ones come first, the main one is last. A thread of another can have the number of the thread that made it.
    const numbers = interpreter === all.at(-1) ? { tids, arch } : undefined;
    for (const thread of threadsOf(heap, interpreter)) {
      if (signal.aborted) break;
      const tid = numbers && tidOf(heap, thread, named.get(thread.ident), numbers);
      const name = named.get(thread.ident)?.name;
      const lock = () => attempt(() => readLock(heap, runtime, interpreter));
      const stack = readStack(heap, thread.state, () => asleep(machine, pid, tid) ?? withoutLock(lock(), thread.state));
      const described = stack && attempt(() => describeStack(heap, codes, stack.frames));
      if (stack?.whole && described) frames.push(...stack.frames);
      else cut.push(name ?? (tid === undefined ? 'one without a name' : `thread ${tid}`));
      const now = lock();
      strands.push({
        kind: 'thread',
        ...(name !== undefined && { name }),
        ...(tid !== undefined && { tid }),
        frames: described ?? [],
        ...(now && { holdsInterpreter: now.locked && now.holder === thread.state }),
      });
    }
  }
  if (cut.length > 0) problems.push(gaps.stacksCut(cut));
  return strands;
}

/** A thread that another one was given the interpreter before, and that was not given it since, runs nothing of the program. */
const withoutLock = (lock: Lock | undefined, thread: number): string | undefined =>
  lock && lock.holder !== thread ? `${lock.holder} ${lock.switches}` : undefined;
