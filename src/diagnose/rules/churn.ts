import type { Rule } from '../../model/finding.ts';
import { plural } from '../../model/words.ts';

// Every connection that a peer closes first passes through CLOSE_WAIT until the program closes its side, usually for
// milliseconds. A program with much traffic always has some, each of them young.
export const churn: Rule = {
  cause: 'churn',
  judge({ kind, sockets, stuck, maybeStuck, listener }) {
    if (kind === 'closed' || stuck > 0 || maybeStuck > 0) return { kind: 'no' };
    if (kind === 'backlog' && listener?.limit !== undefined && listener.queue > listener.limit) return { kind: 'no' };
    return {
      kind: 'yes',
      confidence: 'likely',
      evidence: [
        {
          fact: `none of ${plural(sockets.length, 'socket')} has been in CLOSE_WAIT for long`,
          says: 'too young to call it a leak',
        },
      ],
    };
  },
};
