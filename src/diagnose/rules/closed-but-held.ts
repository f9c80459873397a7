import type { Rule } from '../../model/finding.ts';

// The connection was reset (by the peer, by failed keepalive probes, or from outside with ss -K), so the kernel has
// taken the socket out of every TCP table, and the program still has its descriptor. No list of connections shows it,
// but it counts against the descriptor limit like before. Only likely: a socket that was never connected looks the same.
export const closedButHeld: Rule = {
  cause: 'closed-but-held',
  judge({ kind, closedFds }) {
    if (kind !== 'closed') return { kind: 'no' };
    return {
      kind: 'yes',
      confidence: 'likely',
      evidence: [
        {
          fact: `${closedFds} descriptors are TCP sockets that are in no TCP table`,
          says: 'their connections are gone (or were never made), and the program holds the descriptors',
        },
      ],
    };
  },
};
