import type { Case, Cause, NextStep } from '../../model/finding.ts';
import type { Process } from '../../model/process.ts';
import { formatEndpoint } from '../../model/words.ts';
import { silentServices, waitsTogether } from '../waits.ts';
import { acceptBacklog } from './accept-backlog.ts';
import { closedButHeld } from './closed-but-held.ts';
import { type About, type Advice, connectionsOf, fitting } from './fix.ts';
import { forgotten } from './forgotten.ts';
import { inheritedFd } from './inherited-fd.ts';
import { missingClose } from './missing-close.ts';
import { notReading } from './not-reading.ts';
import { proxyLeg } from './proxy-leg.ts';
import { stalePool } from './stale-pool.ts';
import { stalled } from './stalled.ts';
import { lookAtThreads, resume } from './steps.ts';

/** What to change about each cause. Those without are no fault of the program, or not known. */
export const ADVICE: Partial<Record<Cause, Advice>> = {
  'missing-close': missingClose,
  forgotten,
  'not-reading': notReading,
  'stale-pool': stalePool,
  stalled,
  'accept-backlog': acceptBacklog,
  'inherited-fd': inheritedFd,
  'proxy-leg': proxyLeg,
  'closed-but-held': closedButHeld,
};

/** A screen has room for so many. */
const MOST_STEPS = 4;

/** What to do next about a cause, the most useful first, and last what people try in vain. */
export function nextSteps(cause: Cause, subject: Case, asRoot: boolean): NextStep[] {
  const advice = ADVICE[cause];
  const steps = stepsOf(cause, advice, subject, asRoot);
  const waits = cause !== 'stalled' || !(isStopped(subject) || runs(subject));
  if (advice?.inVain === undefined || !waits) return steps.slice(0, MOST_STEPS);
  return [...steps.slice(0, MOST_STEPS - 1), { why: `will not help: ${advice.inVain}` }];
}

function stepsOf(cause: Cause, advice: Advice | undefined, subject: Case, asRoot: boolean): NextStep[] {
  const { process } = subject;
  const fixes = (about: About = connectionsOf(subject)): NextStep[] =>
    advice ? fitting(advice, subject, about).map((why) => ({ why })) : [];
  switch (cause) {
    case 'churn':
    case 'half-close':
      return [];
    case 'stalled':
      return isStopped(subject) ? resume(process) : whileStalled(subject, fixes(awaited(subject)).slice(0, 1));
    case 'accept-backlog': {
      // With forked workers it is they who accept, and not the process that made the listener.
      const worker = subject.coHolders[0]?.process ?? process;
      const silent = silentEnds(subject);
      const at = subject.listener ? formatEndpoint(subject.listener.local) : 'the port';
      return [
        ...resume(process),
        ...(silent.length > 0 ? silent : [{ why: `find out why ${nameOf(worker)} does not call accept() on ${at}` }]),
        ...lookAtThreads(process ?? worker), // which looks at its workers too
        ...fixes({ inbound: true, outbound: false, ports: [] }),
      ];
    }
    case 'closed-but-held':
      return [
        {
          why: 'look for a shutdown() without close(), and for error paths: a connection that was reset must be closed too',
        },
        ...fixes(),
        ...(process
          ? [{ command: `lsof -nP -a -p ${process.pid} | grep 'protocol: TCP'`, why: 'lists the descriptors' }]
          : []),
      ];
    case 'inherited-fd':
      return [...otherHolders(subject), ...fixes()];
    case 'unknown':
      return [...whoIsIt(subject, asRoot), ...resume(process), ...lookAtThreads(process), ...listSockets(process)];
    default:
      return [...whoIsIt(subject, asRoot), ...fixes(), ...listSockets(process)];
  }
}

/** Without an end that is known not to answer, what the threads do comes before what would have ended it. */
function whileStalled(subject: Case, fixes: NextStep[]): NextStep[] {
  const silent = silentEnds(subject);
  const threads = lookAtThreads(subject.process);
  if (runs(subject)) return threads;
  return silent.length > 0 ? [...silent, ...fixes, ...threads] : [...threads, ...fixes];
}

/** A call without a time-out waits for ever for an end that says nothing. */
function silentEnds(subject: Case): NextStep[] {
  const ends = silentServices(waitsTogether(subject));
  if (ends.length === 0) return [];
  return [
    { why: `find out why ${ends.join(', ')} does not answer, and give the calls to it a time-out (connect and read)` },
  ];
}

/** Of a stalled process: its clients came in, and what its threads wait for it has called. */
function awaited(subject: Case): About {
  const about = connectionsOf(subject);
  const ends = (waitsTogether(subject)?.groups ?? []).flatMap(({ end }) => end?.port ?? []);
  return { inbound: true, outbound: about.outbound || ends.length > 0, ports: [...about.ports, ...ends] };
}

const isStopped = ({ process }: Case): boolean =>
  process?.frozen === true || process?.state === 'stopped' || process?.state === 'traced';

/** Most of its threads run: it waits for nothing that a time-out could end, and no further thread would wait. */
const runs = ({ waits }: Case): boolean => waits?.groups[0] !== undefined && waits.groups[0].kind === undefined;

const nameOf = (process: Process | undefined): string =>
  process ? `${process.name} (pid ${process.pid})` : 'the listener';

function otherHolders({ coHolders, process }: Case): NextStep[] {
  const holders = [...(process ? [process] : []), ...coHolders.map((it) => it.process)];
  if (holders.length === 0) return [];
  const named = holders.slice(0, 3).map((it) => `${it.name} (pid ${it.pid})`);
  return [{ why: `the connection ends when each holder has closed it or has ended: ${named.join(', ')}` }];
}

function whoIsIt({ kind }: Case, asRoot: boolean): NextStep[] {
  if (kind !== 'unowned') return [];
  return asRoot
    ? [{ why: 'look from the host: their holder may be in another pid namespace, use io_uring, or be passing them on' }]
    : [{ command: 'sudo unclosed', why: 'sees the descriptors of all processes' }];
}

const listSockets = (process: Process | undefined): NextStep[] =>
  process ? [{ command: `unclosed ${process.pid} --sockets`, why: 'lists each socket with its age and queues' }] : [];
