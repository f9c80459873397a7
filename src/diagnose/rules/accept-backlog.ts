import type { Rule } from '../../model/finding.ts';
import { formatEndpoint } from '../../model/words.ts';

// The peer connected and closed again before the program called accept(2). The kernel completed the connection by
// itself, so the socket has no file yet, and no inode; lsof cannot list it. A socket that a program holds always has one.
export const acceptBacklog: Rule = {
  cause: 'accept-backlog',
  judge({ kind, sockets, listener, process }) {
    if (kind !== 'backlog' || !listener) return { kind: 'no' };
    const { local, queue, limit } = listener;
    const at = formatEndpoint(local);
    return {
      kind: 'yes',
      confidence: 'proven',
      evidence: [
        {
          fact: `${sockets.length} sockets have no file (inode 0)`,
          says: `the kernel completed these connections, and nobody has called accept() on ${at}`,
        },
        limit === undefined
          ? { fact: `accept queue of ${at}: ${queue} waiting`, says: 'how many may wait is not known' }
          : {
              fact: `accept queue of ${at}: ${queue} waiting, ${limit} allowed`,
              // The queue is full when its length exceeds the limit (include/net/sock.h: sk_acceptq_is_full).
              says: queue > limit ? 'it is full: new connections are dropped' : 'new connections still get in',
            },
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
