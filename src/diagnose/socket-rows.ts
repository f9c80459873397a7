import type { Diagnosis, SocketRow } from '../model/finding.ts';
import { ageOf } from './ages.ts';

/** The CLOSE_WAIT sockets of a diagnosis, finding by finding, the oldest first, with all their holders. */
export function socketRows({ findings }: Pick<Diagnosis, 'findings'>): SocketRow[] {
  return findings.flatMap(({ subject, cause }) => {
    const processes = [
      ...(subject.process && subject.kind === 'held' ? [subject.process] : []),
      ...subject.coHolders.map(({ process }) => process),
    ];
    return subject.sockets.map((socket) => ({
      socket,
      cause,
      age: ageOf(socket),
      holders: processes.flatMap(({ pid, name, sockets }) => {
        const fds = sockets?.get(socket.inode ?? 0);
        return fds ? [{ pid, name, fds }] : [];
      }),
    }));
  });
}
