import process from 'node:process';
import { tidsByInner, tidsOf } from '../../kernel/tids.ts';
import type { Inside, Strand } from '../../model/inside.ts';
import { parseThreadDump, type ThreadDump } from '../../parse/java/thread-dump.ts';
import type { Subject } from '../subject.ts';
import type { AttachClient } from './attach.ts';
import { perfNumber, readPerfData } from './jvm.ts';
import { failed, gapOf } from './trouble.ts';
import { readVirtualThreads } from './virtual-threads.ts';

const TIMEOUT_MS = 20_000;

/** Asks for the stacks of all threads, and with -l for the locks of java.util.concurrent. */
export async function readStrands(subject: Subject, client: AttachClient, inside: Inside): Promise<void> {
  const { pid } = client.jvm;
  const threads = perfNumber(readPerfData(client.jvm), 'java.threads.live') ?? subject.process.threads;
  subject.announce(`a thread dump: the JVM (pid ${pid}) stands still for ${expected(threads)}`);
  const { text, cut } = await client.ask({ what: 'thread dump', timeoutMs: TIMEOUT_MS }, 'threaddump', '-l');
  const dump = parseThreadDump(text);
  const tids = tidsByInner(subject.machine, pid, tidsOf(subject.machine, pid));
  requireOwn(dump, tids, pid);
  inside.strands = dump.threads.map(({ nid, strand }): Strand => {
    const tid = nid === undefined ? undefined : tids.get(nid);
    return { ...strand, ...(tid !== undefined && { tid }) };
  });
  inside.deadlocks = dump.deadlocks;
  if (cut || !dump.complete)
    inside.gaps.push({
      code: 'INSIDE_CUT',
      what: `the thread dump of pid ${pid} has no end`,
      effect: 'threads and deadlocks are missing',
      remedy: `jcmd ${pid} Thread.print -l writes all of it`,
    });
  if (dump.cutStacks > 0)
    inside.gaps.push({
      code: 'INSIDE_CUT',
      what: `${dump.cutStacks} stacks of pid ${pid} are very deep`,
      effect: 'their outermost frames are missing',
      remedy: `jcmd ${pid} Thread.print -l shows them`,
    });
  if (!dump.hasVirtual) return;
  try {
    await readVirtualThreads(subject, client, dump, inside);
  } catch (error) {
    inside.gaps.push(gapOf(error, pid, process.geteuid?.() === 0, 'virtual threads that wait are not shown'));
  }
}

/** 30 ms for 500 threads with 30 frames each, as measured on one slow core. */
const expected = (threads: number | undefined): string =>
  threads === undefined
    ? 'some milliseconds'
    : `about ${Math.max(1, Math.ceil(threads * 0.06))} ms (${threads} threads)`;

/** Another JVM that shares /tmp and has the same pid in a namespace of its own has other threads. */
function requireOwn({ threads }: ThreadDump, tids: ReadonlyMap<number, number>, pid: number): void {
  const numbers = threads.flatMap(({ nid }) => nid ?? []);
  const known = numbers.filter((nid) => tids.has(nid)).length;
  if (known * 2 < numbers.length)
    throw failed(
      `the answer to pid ${pid} came from another JVM: ${known} of ${numbers.length} threads are its own`,
      'give each JVM its own /tmp',
    );
}
