import type { Rule } from '../../model/finding.ts';
import { plural } from '../../model/words.ts';

// The connection has ended on both sides without a close(): it was reset (by the peer, by failed keepalive probes, or from
// outside with ss -K), or shut down in both directions. The kernel has taken the socket out of every TCP table, and the
// program still has its descriptor. No list of connections shows it, but it counts against the descriptor limit like
// before. Only likely where it cannot be told from a socket that was never connected.
export const closedButHeld: Rule = {
  cause: 'closed-but-held',
  judge({ kind, closedFds, closedWereConnected }) {
    if (kind !== 'closed') return { kind: 'no' };
    return {
      kind: 'yes',
      confidence: closedWereConnected ? 'proven' : 'likely',
      evidence: [
        {
          fact: `${plural(closedFds, 'descriptor is a TCP socket', 'descriptors are TCP sockets')} in no TCP table`,
          says: closedWereConnected
            ? 'each was a connection, and has ended'
            : 'their connections have ended (or were never made, or are in a network namespace that was not found)',
        },
      ],
    };
  },
};
