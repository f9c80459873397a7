import type { Inside } from '../../model/inside.ts';
import type { Report } from '../../parse/node/report.ts';
import type { Subject } from '../subject.ts';
import type { Ending } from './closing.ts';
import type { CollectOptions } from './collect.ts';
import { cut, failed, notAll } from './gaps.ts';
import { NoAnswer, type Session } from './inspector.ts';
import { askSockets, heapBytes, loopTurns, runningFrames } from './questions.ts';
import { type Worker, withWorkers } from './workers.ts';

/** More objects are no longer read one by one by anybody. */
const MOST_SOCKETS = 20_000;
/** Reading a socket takes 50 microseconds, and twice that where the machine is busy. */
const SECONDS_EACH = 1e-4;
/** For reading them the program stands still for so long at most. */
const BUDGET_MS = { attach: 50, deep: 1000 };
const MOST_WORKERS = 64;

/** Asks the main thread and the workers, until all is asked or the user has had enough. */
export async function askAll(subject: Subject, main: Session, inside: Inside, ending: Ending): Promise<void> {
  const enough = abortOf(subject.signal);
  const work = ask(subject, main, inside, ending);
  work.catch(() => {}); // its error comes by the race, or comes too late for anybody
  await Promise.race([work, enough]);
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(new NoAnswer('it was not asked any further, as you wished'));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

async function ask(subject: Subject, main: Session, inside: Inside, ending: Ending): Promise<void> {
  inside.strands = [];
  await askLoop(main, 'main thread', subject.process.pid, inside, (turns) => {
    ending.loop = turns ? 'turns' : 'blocked';
  });
  let isWhole = await askThread(subject, main, 'main thread', inside);
  await withWorkers(main, async (workers) => {
    if (workers.length > MOST_WORKERS) {
      isWhole = false;
      inside.gaps.push(
        cut(
          `${workers.length} workers, of which ${MOST_WORKERS} were asked`,
          'sockets of the others are missing',
          'those that were asked show how the others are',
        ),
      );
    }
    for (const worker of workers.slice(0, MOST_WORKERS))
      isWhole = (await askWorker(subject, worker, inside)) && isWhole;
  });
  if (subject.depth === 'deep') inside.objectsComplete = isWhole;
  else if (isWhole) inside.gaps.push(...missing(subject, inside));
}

async function askWorker(subject: Subject, { name, session }: Worker, inside: Inside): Promise<boolean> {
  try {
    await askLoop(session, name, undefined, inside, () => {});
    return await askThread(subject, session, name, inside);
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    inside.gaps.push(
      failed(`${name} of pid ${subject.process.pid}: ${error.message}`, 'its sockets are missing', 'run again'),
    );
    return false;
  }
}

/** What runs where the event loop does not come round. */
async function askLoop(
  session: Session,
  name: string,
  tid: number | undefined,
  inside: Inside,
  tell: (turns: boolean) => void,
): Promise<void> {
  const begun = performance.now();
  const turns = await loopTurns(session);
  tell(turns);
  if (turns) return;
  const frames = await runningFrames(session);
  inside.attachments.push({ what: `${name} stopped for its stack`, tookMs: Math.round(performance.now() - begun) });
  if (!frames)
    inside.gaps.push(
      failed(
        `the event loop of the ${name} does not come round, and what it runs cannot be stopped for a look`,
        'what blocks it is not known',
        'unclosed inspect without --attach tells in which system call each thread is',
      ),
    );
  else
    inside.strands?.push({
      kind: 'thread',
      name,
      ...(tid !== undefined && { tid }),
      state: 'event loop blocked',
      frames,
    });
}

/** True when everything that was found could be read. */
async function askThread(subject: Subject, session: Session, name: string, inside: Inside): Promise<boolean> {
  const isDeep = subject.depth === 'deep';
  if (isDeep)
    subject.announce(
      `looks through the heap of the ${name} for sockets: ${await expectedPause(session, subject.sockets.length)}`,
    );
  const begun = performance.now();
  const report = await askSockets(session, optionsOf(subject), isDeep);
  inside.attachments.push({
    what: isDeep ? `${name} looked through its heap for sockets` : `${name} asked for its sockets`,
    tookMs: Math.round(performance.now() - begun),
    ...(report.pauseMs !== undefined && { pauseMs: Math.ceil(report.pauseMs) }),
  });
  add(report, name, isDeep, inside);
  return report.left === 0;
}

/** 0.35 s per million objects, of 55 bytes on average: measured with 6 million in 330 MB. */
async function expectedPause(session: Session, sockets: number): Promise<string> {
  const bytes = await heapBytes(session);
  if (bytes === undefined) return 'a pause of 0.35 s per million objects';
  const seconds = (bytes / 55e6) * 0.35 + Math.min(sockets * SECONDS_EACH, BUDGET_MS.deep / 1000);
  return `${Math.round(bytes / 1e6)} MB, a pause of about ${seconds < 0.1 ? '0.1' : seconds.toFixed(1)} s`;
}

function optionsOf({ depth, sockets, process }: Subject): CollectOptions {
  const wanted = sockets.flatMap(({ state, inode }) =>
    state === 'CLOSE_WAIT' && inode !== undefined ? (process.sockets?.get(inode) ?? []) : [],
  );
  return {
    wanted: wanted.slice(0, MOST_SOCKETS),
    most: MOST_SOCKETS,
    budgetMs: BUDGET_MS[depth === 'deep' ? 'deep' : 'attach'],
  };
}

function add(report: Report, name: string, isDeep: boolean, inside: Inside): void {
  inside.objects = [...(inside.objects ?? []), ...report.objects];
  inside.pools = [...(inside.pools ?? []), ...report.pools];
  if (report.left > 0)
    inside.gaps.push(
      cut(
        `${report.left} of ${report.left + report.objects.length} sockets of the ${name} were not read, so that it need not wait`,
        'they are missing among its objects; those in CLOSE_WAIT were read first',
        isDeep
          ? 'those that were read show how the others are'
          : 'with --deep more is read, at the price of a longer pause',
      ),
    );
}

/** Stuck sockets of which no object tells how it is read: none stands for them, or only one below TLS. */
function missing({ process, sockets }: Subject, { objects = [] }: Inside): Inside['gaps'] {
  const known = new Set(objects.flatMap(({ fd, endDelivered }) => (endDelivered === undefined ? [] : [fd])));
  const stuck = sockets.filter(({ state, inode }) => {
    const fds = inode === undefined ? undefined : process.sockets?.get(inode);
    return state === 'CLOSE_WAIT' && !fds?.some((fd) => known.has(fd));
  });
  return stuck.length > 0 ? [notAll(process.pid, stuck.length)] : [];
}
