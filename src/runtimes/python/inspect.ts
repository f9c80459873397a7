import { attempt } from '../../kernel/attempt.ts';
import { readText } from '../../kernel/machine.ts';
import { isDenied, isGone, ParseError, SystemError } from '../../model/errors.ts';
import type { Inside } from '../../model/inside.ts';
import type { Gap } from '../../model/snapshot.ts';
import { parseMaps } from '../../parse/memory-maps.ts';
import type { Subject } from '../subject.ts';
import { isExpected } from './find.ts';
import { connectingLibraries } from './foreign.ts';
import * as gaps from './gaps.ts';
import { findInterpreter, type Interpreter } from './interpreter.ts';
import { Memory } from './memory.ts';
import { readObjects } from './objects.ts';
import { readThreads } from './strands.ts';

/** Looks into a CPython by reading its memory. The process is never stopped, and nothing in it is changed. */
export async function inspectPython(subject: Subject): Promise<Inside> {
  const { pid } = subject.process;
  const inside: Inside = { depth: 'read', runtime: 'python', attachments: [], gaps: [] };
  let memory: Memory | undefined;
  try {
    const maps = parseMaps(readText(subject.machine, `/proc/${pid}/maps`), `/proc/${pid}/maps`);
    if (maps.length === 0) throw new SystemError('ESRCH', `read /proc/${pid}/maps`); // a zombie has none
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
  return inside;
}

function gapOf(pid: number, error: SystemError | ParseError): Gap {
  if (error instanceof ParseError) return gaps.failed(pid, error.message);
  if (isDenied(error)) return gaps.denied(pid, error.call.replace(/^\S+ /, ''), process.getuid?.() === 0);
  return isGone(error) ? gaps.ended(pid) : gaps.failed(pid, error.message);
}

function readInside(subject: Subject, interpreter: Interpreter, foreign: string[], inside: Inside): void {
  inside.version = interpreter.version;
  const strands: Inside['strands'] = [];
  inside.strands = strands;
  const look = { ...interpreter, subject, codes: new Map(), frames: [], inside, strands };
  readThreads(look);
  readObjects(look, foreign);
}
