import { attempt } from '../../kernel/attempt.ts';
import { readText } from '../../kernel/machine.ts';
import { Target } from '../../kernel/target.ts';
import { SystemError } from '../../model/errors.ts';
import type { Inside } from '../../model/inside.ts';
import type { Gap } from '../../model/snapshot.ts';
import { parseEuStack } from '../../parse/eu-stack.ts';
import { parseStat } from '../../parse/proc-pid.ts';
import { run } from '../run.ts';
import { standsStill } from '../standing.ts';
import type { Subject } from '../subject.ts';

const TIMEOUT_MS = 5000;
const MOST_BYTES = 32 << 20;
const LOST = 'which code its threads are in is not known';

/** Of the others, an interpreter's own frames would be shown; or there is better evidence, and a stop does harm. */
const RUNTIMES = new Set(['native', 'ruby', 'php', 'perl']);

const gap = (code: Gap['code'], what: string, remedy: string): Gap => ({ code, what, effect: LOST, remedy });

/**
 * Stacks of a program in C, C++ or Rust, with eu-stack of elfutils: only where a pause was allowed, for it stops each thread
 * for a moment.
 */
export async function inspectNative(subject: Subject): Promise<Inside> {
  const { depth, process, machine } = subject;
  const inside: Inside = {
    depth,
    ...(process.runtime && { runtime: process.runtime }),
    attachments: [],
    gaps: [],
  };
  const refusal = refuse(subject);
  if (refusal) {
    inside.gaps.push(refusal);
    return inside;
  }
  const program = attempt(() => machine.link(`/proc/${process.pid}/exe`));
  subject.announce(`runs eu-stack on pid ${process.pid}: each of its threads stops for a moment, 10 to 300 ms in all`);
  const began = performance.now();
  // Without an address it asks no server for debug information.
  const env = { DEBUGINFOD_URLS: '' };
  const options = { timeoutMs: TIMEOUT_MS, mostBytes: MOST_BYTES, signal: subject.signal, env };
  const { out, err, code, why } = await run('eu-stack', ['-p', String(process.pid), '-m', '-n', '128'], options);
  if (why?.endsWith('is not installed')) {
    inside.gaps.push(
      gap(
        'INSIDE_NOT_ASKED',
        'eu-stack is not installed, which shows stacks of such a program',
        'install elfutils, and run this again',
      ),
    );
    return inside;
  }
  if (why !== undefined) letGoOn(subject);
  const tookMs = Math.round(performance.now() - began);
  inside.attachments.push({ what: 'eu-stack', tookMs, pauseMs: tookMs });
  const strands = parseEuStack(out.toString(), program).filter(({ frames }) => frames.length > 0);
  if (strands.length > 0) inside.strands = strands;
  else
    inside.gaps.push(
      gap(
        'INSIDE_FAILED',
        `eu-stack: ${why ?? (err.trim().split('\n')[0] || `ended with ${code}`)}`,
        'run as root; or try gdb',
      ),
    );
  return inside;
}

function refuse(subject: Subject): Gap | undefined {
  const { process, machine, depth } = subject;
  const { pid, runtime } = process;
  if (runtime !== undefined && !RUNTIMES.has(runtime))
    return gap('INSIDE_REFUSED', `a stop does more harm to a ${runtime} program than its stack tells`, 'nothing');
  if (depth !== 'deep')
    return gap(
      'INSIDE_NOT_ASKED',
      'the stacks of its threads were not read, for that stops each of them for a moment',
      `unclosed inspect ${pid} --deep, which runs eu-stack of elfutils (10 to 300 ms)`,
    );
  const still = standsStill(machine, pid);
  if (still !== undefined) return gap('INSIDE_REFUSED', `it is ${still}`, 'let it run on first');
  const stuck = stuckThread(subject);
  if (stuck !== undefined)
    return gap(
      'INSIDE_REFUSED',
      `thread ${stuck} sleeps uninterruptibly and could not be stopped`,
      'run it again later',
    );
  const [ours, theirs] = ['self', pid].map((who) => attempt(() => machine.link(`/proc/${who}/ns/mnt`)));
  if (ours !== theirs)
    return gap(
      'INSIDE_UNSUPPORTED',
      'its files are in another mount namespace, so that eu-stack would take names from other files',
      `run eu-stack -p in that container`,
    );
  return undefined;
}

function stuckThread({ machine, process: { pid } }: Subject): string | undefined {
  return (attempt(() => machine.list(`/proc/${pid}/task`)) ?? []).find((tid) => {
    const path = `/proc/${pid}/task/${tid}/stat`;
    return attempt(() => parseStat(readText(machine, path), path))?.state === 'uninterruptible';
  });
}

/** A tracer that was killed can leave behind the stop that it asked for. The process did not stand still before. */
function letGoOn(subject: Subject): void {
  const { pid, startedAt } = subject.process;
  if (startedAt === undefined || standsStill(subject.machine, pid) !== 'stopped') return;
  try {
    const target = new Target(pid, startedAt);
    try {
      target.signal('SIGCONT');
    } finally {
      target.close();
    }
  } catch (error) {
    if (!(error instanceof SystemError)) throw error; // it has ended, or is not ours to signal
  }
}
