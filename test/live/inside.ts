import { captureFrom } from '../../src/app/capture.ts';
import { liveMachine } from '../../src/app/machine.ts';
import type { Depth } from '../../src/model/inside.ts';
import type { Subject } from '../../src/runtimes/subject.ts';

/** A live process to look into, as `unclosed inspect` would; `announced` collects what was said beforehand. */
export async function subjectOf(pid: number, depth: Depth): Promise<{ subject: Subject; announced: string[] }> {
  const machine = await liveMachine();
  const snapshot = captureFrom(machine, { pids: [pid], young: true, closedButHeld: 'always' });
  const process = snapshot.processes.get(pid);
  if (!process) throw new Error(`pid ${pid} holds no stuck socket`);
  const announced: string[] = [];
  const subject: Subject = {
    machine,
    process,
    arch: machine.host().arch,
    sockets: [...snapshot.sockets].filter(({ inode }) => inode !== undefined && process.sockets?.has(inode)),
    depth,
    announce: (sentence) => announced.push(sentence),
    signal: new AbortController().signal,
  };
  return { subject, announced };
}
