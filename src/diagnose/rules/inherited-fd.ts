import type { Case, Evidence, Rule } from '../../model/finding.ts';
import type { Process } from '../../model/process.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { formatDuration, formatNumber, plural } from '../../model/words.ts';
import { holdsAny, listeningParent, mayBeCopies } from '../copies.ts';
import { areOlderThan } from '../traits.ts';

// A process made a child while it had connections open, and the child got copies of their descriptors. The one that made the
// connections has closed them, the child knows nothing of them, and so they stay: they are older than every process that holds them.
export const inheritedFd: Rule = {
  cause: 'inherited-fd',
  judge(subject, snapshot) {
    const { kind, traits, process, sockets, coHolders } = subject;
    if (kind !== 'held' || !process) return { kind: 'no' };
    const everyone = [process, ...coHolders.filter((it) => it.sockets === sockets.length).map((it) => it.process)];
    const evidence = [
      ...(traits?.olderThanHolder ? olderEvidence(subject, snapshot.takenAt) : []),
      ...holdersEvidence(everyone),
      ...parentEvidence(subject, snapshot),
      ...execEvidence(everyone),
    ];
    const siblings = everyone.length > 1 && haveOneParent(everyone);
    if (traits?.olderThanHolder && !isHeldByMaker(subject, snapshot)) {
      if (everyone.length > 1) return { kind: 'yes', confidence: 'proven', evidence };
      // One that a server hands over to a fresh child, or that waited for a service to start, is older too.
      return sockets.length > 1 ? { kind: 'yes', confidence: 'likely', evidence } : { kind: 'undecided', evidence };
    }
    if (siblings && !holdsAny(snapshot.processes.get(process.parent ?? -1), sockets)) {
      return { kind: 'yes', confidence: 'likely', evidence };
    }
    if (!mayBeCopies(subject, snapshot)) return { kind: 'no' };
    return sockets.length > 1 && (parentHasOthers(subject, snapshot) || cameWithTheStart(subject, snapshot))
      ? { kind: 'yes', confidence: 'likely', evidence }
      : { kind: 'undecided', evidence };
  },
};

/** One of the others may have made them: it was there before, and holds them too. */
const isHeldByMaker = ({ coHolders, sockets }: Case, { takenAt }: Snapshot): boolean =>
  coHolders.some(({ process }) => !areOlderThan(process, takenAt, sockets));

function olderEvidence({ sockets, process }: Case, takenAt: number): Evidence[] {
  if (!process) return [];
  return [
    {
      fact: `${plural(sockets.length, 'connection')} older than ${process.name} (pid ${process.pid}), which runs for ${runsFor(process, takenAt)}`,
      says: `${sockets.length === 1 ? 'it' : 'they'} came with its descriptors, from the process that started it`,
    },
  ];
}

const holdersEvidence = ([first, ...others]: Process[]): Evidence[] =>
  first && others.length > 0
    ? [
        {
          fact: `all are open in ${listed([first, ...others])} at once`,
          says: 'copies of the same descriptors, from one that had them before',
        },
      ]
    : [];

const listed = (processes: Process[]): string =>
  processes.length > 3
    ? `${formatNumber(processes.length)} processes`
    : processes.map(({ name, pid }) => `${name} ${pid}`).join(', ');

/** Who accepts a connection can give a copy to its own children only: what brothers share, their parent once had. */
function haveOneParent(holders: Process[]): boolean {
  const [first, ...others] = holders.map(({ parent }) => parent);
  return first !== undefined && first > 1 && others.every((parent) => parent === first);
}

/** The parent accepts itself. One that leaves that to workers, or hands connections over, has none of its own. */
function parentHasOthers(subject: Case, snapshot: Snapshot): boolean {
  const parent = listeningParent(subject, snapshot);
  return snapshot.sockets.some(
    ({ local, inode }) =>
      local.port === subject.listener?.local.port && inode !== undefined && parent?.sockets?.has(inode),
  );
}

/** The share of a process's life in which a worker would hardly get all its connections, and none after. */
const ITS_START = 0.1;

/** All data on them came when the process had just been started, as if they had been there before. */
function cameWithTheStart({ process, sockets }: Case, { takenAt }: Snapshot): boolean {
  if (process?.startedAt === undefined) return false;
  const runsMs = takenAt - process.startedAt * 1000;
  return sockets.every(({ lastDataReceivedMs = 0 }) => lastDataReceivedMs > (1 - ITS_START) * runsMs);
}

const runsFor = ({ startedAt = 0 }: Process, takenAt: number): string =>
  formatDuration(Math.max(0, takenAt - startedAt * 1000));

function parentEvidence({ process, sockets }: Case, { processes }: Snapshot): Evidence[] {
  const parent = processes.get(process?.parent ?? -1);
  if (!parent?.sockets || holdsAny(parent, sockets)) return [];
  return [
    {
      fact: `the parent ${parent.name} (pid ${parent.pid}) holds none of them`,
      says: 'it has closed its own copies: a connection ends only when the last copy is closed',
    },
  ];
}

function execEvidence(holders: Process[]): Evidence[] {
  const looked = holders.reduce((sum, { closeOnExec }) => sum + (closeOnExec?.looked ?? 0), 0);
  const set = holders.reduce((sum, { closeOnExec }) => sum + (closeOnExec?.set ?? 0), 0);
  if (looked === 0) return [];
  return [
    {
      fact: `close-on-exec is set on ${formatNumber(set)} of ${formatNumber(looked)} descriptors looked at`,
      says:
        set === looked
          ? 'so they were inherited over fork() alone'
          : 'without it a program that is started inherits them',
    },
  ];
}
