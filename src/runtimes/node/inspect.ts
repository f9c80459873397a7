import { attempt } from '../../kernel/attempt.ts';
import { readText } from '../../kernel/machine.ts';
import type { Target } from '../../kernel/target.ts';
import { isDenied, isGone, ParseError, SystemError } from '../../model/errors.ts';
import type { Inside } from '../../model/inside.ts';
import { inspectorId } from '../../parse/node/version.ts';
import { lockProcess } from '../lock.ts';
import type { Subject } from '../subject.ts';
import { armCloser, closeOpened, type Ending, waitUntilClosed } from './closing.ts';
import { denied, failed, notAsked, refused, unsupported } from './gaps.ts';
import { type Look, look } from './guards.ts';
import { getJson, Inspector, NoAnswer } from './inspector.ts';
import { Listening } from './listening.ts';
import { Mark } from './mark.ts';
import { answering, type Open, openBySignal } from './opening.ts';
import { askAll } from './session.ts';

/**
 * Looks into a Node.js process. With `read` nothing is done to it. Otherwise its inspector is asked for its sockets and for
 * what blocks its event loop; where that is not open, it is opened by a signal and closed again. What goes wrong is a gap.
 */
export async function inspectNode(subject: Subject): Promise<Inside> {
  const { machine, process, depth } = subject;
  const inside: Inside = { depth, runtime: 'node', attachments: [], gaps: [] };
  if (machine.source.kind !== 'live') {
    inside.gaps.push(unsupported('this is no live process', `unclosed inspect ${process.pid} on the machine itself`));
    return inside;
  }
  const seen = look(machine, process.pid);
  if ('code' in seen) {
    inside.gaps.push(seen);
    return inside;
  }
  if (seen.version !== undefined) inside.version = seen.version;
  if (depth === 'read') inside.gaps.push(...readOnly(process.pid, seen));
  else await guarded(subject, inside, () => attach(subject, seen, inside));
  return inside;
}

function readOnly(pid: number, { candidates: [open], refusal }: Look): Inside['gaps'] {
  if (open) return [notAsked(pid, `${open.local.address}:${open.local.port}`)];
  return [refusal ?? notAsked(pid, undefined)];
}

async function guarded({ process }: Subject, { gaps }: Inside, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (error instanceof SystemError && isDenied(error)) gaps.push(denied(error.message));
    else if (error instanceof SystemError && (isGone(error) || error.code === 'ESTALE'))
      gaps.push(
        failed(`pid ${process.pid} has ended`, 'nothing more of it is known', 'look at the process that runs now'),
      );
    else if (error instanceof SystemError || error instanceof ParseError || error instanceof NoAnswer)
      gaps.push(failed(error.message, 'what it would have told is not known', 'run again'));
    else throw error;
  }
}

async function attach(subject: Subject, seen: Look, inside: Inside): Promise<void> {
  const { pid, startedAt } = subject.process;
  if (startedAt === undefined) throw new SystemError('ESRCH', `start of pid ${pid}`);
  const unlock = await lockProcess(subject.machine, pid);
  if (!unlock) {
    inside.gaps.push(refused(`another unclosed is looking into pid ${pid}`, 'wait until it has finished'));
    return;
  }
  let target: Target | undefined;
  let listening: Listening | undefined;
  try {
    target = await targetOf(pid, startedAt);
    listening = new Listening(subject.machine, pid);
    await talk({ subject, target, listening, inside }, seen);
  } finally {
    listening?.close();
    target?.close();
    unlock();
  }
}

async function targetOf(pid: number, startedAt: number): Promise<Target> {
  const module = await import('../../kernel/target.ts').catch((error: Error) => {
    throw new SystemError('ENOSYS', `no foreign function interface (${error.message}): pidfd_open`);
  });
  return new module.Target(pid, startedAt);
}

type Visit = { subject: Subject; target: Target; listening: Listening; inside: Inside };

async function talk(visit: Visit, seen: Look): Promise<void> {
  const { subject, target, listening, inside } = visit;
  const { pid } = subject.process;
  const mark = new Mark(pid);
  const there = await answering(seen.candidates, listening, pid);
  if (there) {
    const isOurs = mark.exists();
    const at = `${there.at.address}:${there.at.port}`;
    const after = isOurs ? 'since an earlier look, and is closed now' : 'and stays open';
    subject.announce(`asks pid ${pid} over its inspector, which is open at ${at} ${after}`);
    target.require();
    if ((await session(visit, there, isOurs)) && isOurs) mark.clear();
    return;
  }
  if (seen.refusal) {
    inside.gaps.push(seen.refusal);
    return;
  }
  if (subject.signal.aborted) return;
  subject.announce(
    `sends SIGUSR1 to pid ${pid}: Node.js opens its inspector on loopback for about a second, in which every local user can connect, and says so on its stderr`,
  );
  const begun = performance.now();
  const isMarked = mark.set();
  const opened = await openBySignal(pid, target, listening).catch((error: unknown) => {
    mark.clear(); // it was not sent, or nobody is there to open anything
    throw error;
  });
  inside.attachments.push({ what: 'SIGUSR1, for Node.js to open its inspector', tookMs: since(begun) });
  if (!opened) inside.gaps.push(notOpened(subject, isMarked));
  else if (await session(visit, opened, true)) mark.clear();
}

const since = (begun: number): number => Math.round(performance.now() - begun);

/** The main thread opens it, as soon as it comes back to JavaScript. A child may be what it waits for (execSync). */
function notOpened({ machine, process: { pid } }: Subject, isMarked: boolean): Inside['gaps'][number] {
  const children =
    attempt(() => readText(machine, `/proc/${pid}/task/${pid}/children`))
      ?.trim()
      .split(' ') ?? [];
  const names = children.flatMap((child) => {
    const name = attempt(() => readText(machine, `/proc/${child}/comm`))?.trim();
    return name === undefined ? [] : [`${name} (pid ${child})`];
  });
  const started = names.length === 0 ? '' : ` (it has started ${names.slice(0, 5).join(', ')})`;
  return failed(
    `pid ${pid} did not open its inspector: its main thread is in a call outside of JavaScript${started}, or it said on its stderr why not`,
    'it opens when that call returns, and then stays open: every local user can connect to it',
    isMarked
      ? `unclosed inspect ${pid} --attach, when it runs again: that asks it, and closes it`
      : `unclosed inspect ${pid} tells whether it is open; a restart closes it`,
  );
}

/** True when the inspector is no longer open, where it was to be closed. */
async function session(visit: Visit, open: Open, isOurs: boolean): Promise<boolean> {
  const { subject, inside } = visit;
  inside.version = open.version;
  const { pid } = subject.process;
  const id = inspectorId(await getJson(open.dial, '/json/list').catch(() => undefined));
  const inspector = id === undefined ? undefined : await Inspector.connect(open.dial, id).catch(() => undefined);
  const ending: Ending = { closer: undefined, loop: 'unknown' };
  try {
    if (!inspector) throw new NoAnswer(`the inspector of pid ${pid} does not let us in`);
    if (isOurs) ending.closer = await armCloser(inspector);
    await askAll(subject, inspector, inside, ending);
  } catch (error) {
    // Whatever it was, the inspector is closed before it is told.
    if (!(error instanceof NoAnswer || error instanceof ParseError)) {
      if (isOurs) await close(visit, open, inspector, ending);
      throw error;
    }
    if (visit.target.hasEnded()) throw new SystemError('ESRCH', `pid ${pid}`);
    inside.gaps.push(
      failed(
        `pid ${pid}: ${error.message}`,
        'what it would have told is not known',
        'run again; unclosed inspect without --attach tells in which call its main thread is',
      ),
    );
  }
  if (isOurs) return close(visit, open, inspector, ending);
  await inspector?.close(1000);
  return false;
}

async function close(
  { subject, listening, inside }: Visit,
  { at }: Open,
  inspector: Inspector | undefined,
  ending: Ending,
): Promise<boolean> {
  const begun = performance.now();
  if (inspector) await closeOpened(inspector, ending);
  if (await waitUntilClosed(listening, at)) {
    inside.attachments.push({ what: 'its inspector was closed again', tookMs: since(begun) });
    return true;
  }
  inside.gaps.push(
    failed(
      `the inspector of pid ${subject.process.pid} is still open at ${at.address}:${at.port}`,
      'every local user can connect to it',
      'it was told to close, and does when its main thread comes back to its event loop; a restart closes it too',
    ),
  );
  return false;
}
