import { least, most } from '../../model/extremes.ts';
import type { Rule } from '../../model/finding.ts';
import { formatDuration, plural } from '../../model/words.ts';

const A_MOMENT_MS = 1000;

// The peer has shut down its writing side only, and goes on reading; the program goes on sending. That is legal and ends when
// the program has sent all. What it sends is acknowledged long after the last data came from the peer.
export const halfClose: Rule = {
  cause: 'half-close',
  judge({ kind, traits, sockets }) {
    if (kind !== 'held' || traits?.flow !== 'sending') return { kind: 'no' };
    const sent = most(sockets.map(({ lastDataSentMs = 0 }) => lastDataSentMs));
    const received = least(sockets.map(({ lastDataReceivedMs = 0 }) => lastDataReceivedMs));
    return {
      kind: 'yes',
      confidence: 'likely',
      evidence: [
        {
          fact: `data sent on ${plural(sockets.length, 'socket')} in the last ${formatDuration(Math.max(sent, A_MOMENT_MS))}, and acknowledged`,
          says: `the peer still takes it, ${formatDuration(received)} and more after it last sent: it closed one direction only`,
        },
      ],
    };
  },
};
