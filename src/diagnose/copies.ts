import type { Case } from '../model/finding.ts';
import type { Process } from '../model/process.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Sockets } from '../model/socket-table.ts';

export const holdsAny = (process: Process | undefined, sockets: Sockets): boolean =>
  sockets.some(({ inode }) => inode !== undefined && process?.sockets?.has(inode));

/** The parent, where it listens for what the holder has, and has none of it (any more). */
export function listeningParent({ process, listener, sockets }: Case, { processes }: Snapshot): Process | undefined {
  const parent = processes.get(process?.parent ?? -1);
  if (!process || !parent || parent.pid <= 1 || listener?.inode === undefined) return undefined;
  return parent.sockets?.has(listener.inode) && !holdsAny(parent, sockets) ? parent : undefined;
}

/**
 * Whether the holder shows that it is a worker, which accepts from its parent's listener: a thread of it is in accept, or in
 * an epoll set that knows the listener, or it has other connections of the same port in use.
 */
function isWorker({ process, listener, siblings = [] }: Case): boolean {
  if (siblings.some(({ socket: { state, local } }) => state === 'ESTABLISHED' && local.port === listener?.local.port))
    return true;
  const inode = listener?.inode;
  return (process?.threadList ?? []).some(
    ({ wait }) =>
      wait?.kind === 'accept' ||
      (wait?.kind === 'events' &&
        inode !== undefined &&
        process?.epoll?.sets.some(({ fd, sockets }) => fd === wait.fd && sockets.has(inode))),
  );
}

/** A child that may have these connections from its parent only, because it was made while they were open. */
export const mayBeCopies = (subject: Case, snapshot: Snapshot): boolean =>
  listeningParent(subject, snapshot) !== undefined && !isWorker(subject);
