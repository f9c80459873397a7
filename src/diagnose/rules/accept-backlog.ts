import type { Rule } from '../../model/finding.ts';
import { formatEndpoint, plural } from '../../model/words.ts';
import { sharing } from '../listeners.ts';

// The peer connected and closed again before the program called accept(2). The kernel completed the connection by
// itself, so the socket has no file yet, and no inode; lsof cannot list it. A socket that a program holds always has one.
export const acceptBacklog: Rule = {
  cause: 'accept-backlog',
  judge({ kind, sockets, listener, process }, { listeners }) {
    if (kind !== 'backlog' || !listener) return { kind: 'no' };
    const { local, queue, limit } = listener;
    const at = formatEndpoint(local);
    const sharers = sharing(listener, listeners);
    const inferred = sockets.some(({ noHolderShown }) => noHolderShown);
    return {
      kind: 'yes',
      confidence: inferred ? 'likely' : 'proven',
      evidence: [
        {
          fact: inferred
            ? `the capture names no process for ${plural(sockets.length, 'socket')}, and connections wait at ${at}`
            : `${plural(sockets.length, 'socket has', 'sockets have')} no file (inode 0)`,
          says: `the kernel completed these connections, and no accept() on ${at} has taken them`,
        },
        limit === undefined
          ? { fact: `accept queue of ${at}: ${queue} waiting`, says: 'how many may wait is not known' }
          : {
              fact: `accept queue of ${at}: ${queue} waiting, ${limit} allowed`,
              // The queue is full when its length exceeds the limit (include/net/sock.h: sk_acceptq_is_full).
              says: queue > limit ? 'it is full: new connections are dropped' : 'new connections still get in',
            },
        ...(sharers.length > 1
          ? [
              {
                fact: `${sharers.length} listeners share ${at} (SO_REUSEPORT), with ${sharers.map((it) => it.queue).join(', ')} waiting`,
                says: 'the kernel does not say at which of them a connection waits',
              },
            ]
          : []),
        ...(process?.openFds !== undefined && process.openFds >= (process.fdLimit ?? Number.POSITIVE_INFINITY)
          ? [
              {
                fact: `${process.name} (pid ${process.pid}) has no free descriptor (${process.openFds} of ${process.fdLimit})`,
                says: 'accept() fails with "Too many open files" until it closes some',
              },
            ]
          : []),
        ...(process?.frozen
          ? [
              {
                fact: `${process.name} (pid ${process.pid}) is frozen by its cgroup`,
                says: 'it cannot accept until it is thawed',
              },
            ]
          : []),
        ...(process?.state === 'stopped'
          ? [
              {
                fact: `${process.name} (pid ${process.pid}) is stopped (state T)`,
                says: 'it cannot accept until it gets SIGCONT',
              },
            ]
          : []),
      ],
    };
  },
};
