import type { Case, Evidence, Rule } from '../../model/finding.ts';
import type { Process } from '../../model/process.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { TcpSocket } from '../../model/socket.ts';
import { formatDuration, formatNumber, plural } from '../../model/words.ts';
import { conductOf } from '../conduct.ts';

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
    if (traits?.olderThanHolder) {
      if (everyone.length > 1) return { kind: 'yes', confidence: 'proven', evidence };
      // One that a server hands over to a fresh child, or that waited for a service to start, is older too.
      return sockets.length > 1 ? { kind: 'yes', confidence: 'likely', evidence } : { kind: 'undecided', evidence };
    }
    if (siblings && !holdsAny(snapshot.processes.get(process.parent ?? -1), sockets)) {
      return { kind: 'yes', confidence: 'likely', evidence };
    }
    return sockets.length > 1 && isCopyOfParents(subject, snapshot)
      ? { kind: 'yes', confidence: 'likely', evidence }
      : { kind: 'no' };
  },
};

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

const holdsAny = (process: Process | undefined, sockets: TcpSocket[]): boolean =>
  sockets.some(({ inode }) => inode !== undefined && process?.sockets?.has(inode));

/**
 * The parent accepts at this listener, and has others of its connections; the child has these, and does not accept. A worker
 * that is given a listener, or connections, has a parent without connections.
 */
function isCopyOfParents(subject: Case, { processes, sockets: all }: Snapshot): boolean {
  const { process, listener, sockets } = subject;
  const parent = processes.get(process?.parent ?? -1);
  if (!listener || listener.inode === undefined || !parent?.sockets?.has(listener.inode)) return false;
  if (holdsAny(parent, sockets) || conductOf(subject)?.ready !== 0) return false;
  return all.some(
    ({ local, inode }) => local.port === listener.local.port && inode !== undefined && parent.sockets?.has(inode),
  );
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
