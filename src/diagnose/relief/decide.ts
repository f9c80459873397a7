import type { Finding } from '../../model/finding.ts';
import type { Circumstances, Decision } from '../../model/relief.ts';
import { describe } from './consequences.ts';
import { areDescriptorsScarce, canRaise, isTold } from './means.ts';
import { deletePod, objectionTo } from './objections.ts';

/** The least harmful action that helps against this finding; or that none is needed; or why none can help. */
export function decide(finding: Finding, circumstances: Circumstances): Decision {
  const { wanted } = circumstances;
  const objection = wanted && objectionTo(wanted, finding, circumstances);
  if (objection) return objection;
  if (wanted) return describe(wanted, finding, 'asked for by name', circumstances);
  const choice = choose(finding, circumstances);
  if (typeof choice !== 'string') return choice;
  return objectionTo(choice, finding, circumstances) ?? describe(choice, finding, REASON[choice], circumstances);
}

type Choice = 'raise-fd-limit' | 'resume' | 'thaw' | 'shutdown' | 'terminate';

const REASON: Record<Choice, string> = {
  'raise-fd-limit': 'it touches no connection, and buys time until the program is mended or restarted',
  resume: 'the process is stopped: nothing in it can close a connection until it runs again',
  thaw: 'the process is frozen: nothing in it can close a connection until it runs again',
  shutdown: 'the program watches these sockets without reading from them, and is told of the end in this way',
  terminate: 'it only holds copies that it inherited, and no connection ends before the last copy is closed',
};

function choose(finding: Finding, circumstances: Circumstances): Choice | Decision {
  const { cause, confidence, subject } = finding;
  const { process } = subject;
  if (cause === 'churn') return nothing('these connections are young: the program closes them by itself');
  if (cause === 'half-close')
    return nothing('the peer has only ended its own side, and data still flows: that is legal');
  // What the kernel says of a process holds whatever the cause is, and is taken back as easily.
  if (process?.frozen) return 'thaw';
  if (process?.state === 'stopped') return 'resume';
  if (process?.state === 'traced')
    return refused('a debugger holds the process: only it can let it run on', [
      'detach the debugger, or let it continue',
    ]);
  if (cause === 'stale-pool')
    return nothing('idle pooled connections that the server has closed: the pool drops them when it needs one');
  if (cause === 'accept-backlog') {
    // Without a free descriptor accept() fails, and that alone can keep the queue full.
    return hasNone(finding) && canRaise(finding, circumstances)
      ? 'raise-fd-limit'
      : refused(BACKLOG, restarts(finding));
  }
  if (areDescriptorsScarce(finding) && canRaise(finding, circumstances)) return 'raise-fd-limit';
  if (cause === 'not-reading' || cause === 'proxy-leg') {
    if (confidence === 'proven' && isTold(finding) && subject.traits?.flow !== 'clogged') return 'shutdown';
    return refused(
      `the cause is ${confidence === 'proven' ? 'proven' : 'not proven'}, but that the program would close is not`,
      [
        ...(isTold(finding) ? [`--action ${subject.traits?.flow === 'clogged' ? 'destroy' : 'shutdown'}`] : []),
        ...restarts(finding),
      ],
    );
  }
  // One that has connections of its own as well is at work, whatever else it has inherited.
  const isIdle = subject.siblings?.length === 0;
  if (cause === 'inherited-fd' && confidence === 'proven' && subject.traits?.olderThanHolder && isIdle)
    return 'terminate';
  return refused(HELD, restarts(finding));
}

const nothing = (why: string): Decision => ({ kind: 'nothing', why });
const refused = (why: string, instead: string[]): Decision => ({ kind: 'refused', why, instead });

const BACKLOG =
  'nobody has accepted these connections: they have no descriptor to act on, and ending one from outside (SOCK_DESTROY) leaves its place in the accept queue taken';

const HELD =
  'the program holds the descriptors and waits for nothing on them: whatever is done to the connections, the descriptors stay until it closes them or ends';

const hasNone = ({ subject: { process } }: Finding): boolean =>
  process?.openFds !== undefined && process.fdLimit !== undefined && process.openFds >= process.fdLimit;

/** From the gentlest restart to the roughest, as far as they are possible here. */
function restarts({ subject: { process, kind } }: Finding): string[] {
  if (!process) return ['find out who holds them: sudo unclosed'];
  const { unit, container, pod, pid } = process;
  const engine = container?.engine;
  const byUnit = (engine === undefined || engine === 'podman') && unit?.endsWith('.service');
  return [
    ...(byUnit ? [`--action restart-unit (${unit})`] : []),
    ...((engine === 'docker' || engine === 'podman') && !pod && !byUnit ? ['--action restart-container'] : []),
    ...(pod ? [deletePod(pod)] : []),
    `--action terminate (SIGTERM to pid ${pid}), where something starts it again`,
    ...(kind === 'held'
      ? ['--action shutdown --sockets-only: frees the peers and their ports, and no descriptor']
      : []),
  ];
}
