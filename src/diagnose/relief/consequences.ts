import type { Finding } from '../../model/finding.ts';
import type { Circumstances, Decision, ReliefAction } from '../../model/relief.ts';
import { formatNumber } from '../../model/words.ts';
import { isTold, raisedLimit } from './means.ts';

type Told = Pick<Extract<Decision, { kind: 'act' }>, 'notices' | 'willNot'>;

const LEAK_GOES_ON = 'stop the leak: more come as before';

/** An action with what the program will notice of it, and what it does not do. */
export function describe(action: ReliefAction, finding: Finding, why: string, circumstances: Circumstances): Decision {
  return { kind: 'act', action, why, ...CONSEQUENCES[action](finding, circumstances) };
}

// What programs notice was measured on Linux 6.18 with sockets in every state of reading: see docs/relieve.md.
const CONSEQUENCES: Record<ReliefAction, (finding: Finding, circumstances: Circumstances) => Told> = {
  'raise-fd-limit': (finding, circumstances) => ({
    notices: [
      'nothing at once: it can open more files from now on',
      ...(crossesSelectLimit(finding, circumstances)
        ? ['a program that calls select() must not have descriptors above 1023: others do not mind']
        : []),
    ],
    willNot: ['touch any connection', LEAK_GOES_ON, `outlive the process: ${limitAfterRestart(finding)}`],
  }),
  resume: () => ({
    notices: ['it runs on where it was stopped (SIGCONT); what its peers gave up meanwhile fails'],
    willNot: ['say who stopped it, and why: find that out, or it happens again', 'close anything by itself'],
  }),
  thaw: () => ({
    notices: ['every process of its cgroup runs on where it was frozen'],
    willNot: ['say who froze it, and why: find that out, or it happens again', 'close anything by itself'],
  }),
  keepalive: () => ({
    notices: [
      'nothing, where the peer is still there',
      'where the peer is gone, the connection ends within seconds (ETIMEDOUT or ECONNRESET at the next call)',
      'its own keepalive settings of these sockets are overwritten: a peer that answers is asked each second from now on',
    ],
    willNot: [...descriptors(false), LEAK_GOES_ON],
  }),
  shutdown: (finding) => ({
    notices: [
      'its next write on them fails (EPIPE, and SIGPIPE where that is not ignored: that ends a careless program)',
      ...(isTold(finding) ? ['its event loop is told of a hang-up on each'] : []),
      'what it has written goes out first, then the peer gets an orderly end (FIN)',
    ],
    willNot: [...descriptors(isTold(finding)), LEAK_GOES_ON],
  }),
  destroy: (finding) => ({
    notices: [
      'its next call on them fails (ECONNABORTED, then EPIPE and SIGPIPE where that is not ignored)',
      ...(isTold(finding) ? ['its event loop is told of an error on each'] : []),
      'what it has written and the peer has not taken yet is lost; the peer gets a reset (RST)',
    ],
    willNot: [...descriptors(isTold(finding)), LEAK_GOES_ON],
  }),
  'restart-unit': ({ subject: { process } }) => ({
    notices: [`every process of ${process?.unit ?? 'the unit'} ends and is started again: all its connections end`],
    willNot: [LEAK_GOES_ON],
  }),
  'restart-container': () => ({
    notices: ['every process of the container ends and is started again: all its connections end'],
    willNot: [LEAK_GOES_ON],
  }),
  terminate: ({ subject: { process, coHolders } }) => ({
    notices: [
      `it gets SIGTERM and ends, with all its connections: ${count(process?.openFds)} descriptors are closed`,
      ...(coHolders.length > 0 ? ['connections that other processes hold too stay until those close them'] : []),
    ],
    willNot: ['start it again, unless something else does (systemd, a container engine, a parent process)'],
  }),
};

/** Nobody but the program can give a descriptor back. */
const descriptors = (told: boolean): string[] => [
  told
    ? 'free a descriptor by itself: the program has to close each when it is told'
    : 'free a single descriptor: the program keeps them all, and no list of connections shows them any more',
];

const crossesSelectLimit = (finding: Finding, circumstances: Circumstances): boolean => {
  const limit = raisedLimit(finding, circumstances);
  return limit !== undefined && limit.from <= 1024 && limit.to > 1024;
};

function limitAfterRestart({ subject: { process } }: Finding): string {
  const { unit, container } = process ?? {};
  const old = 'a restart has the old limit';
  if (container) return `${old}, which its container was made with (--ulimit nofile=)`;
  return unit?.endsWith('.service') ? `${old}, which LimitNOFILE= of ${unit} sets (systemctl edit)` : old;
}

const count = (value: number | undefined): string => (value === undefined ? 'all its' : formatNumber(value));
