import type { Case, Rule } from '../../model/finding.ts';
import { plural } from '../../model/words.ts';
import { areSettled } from '../ages.ts';
import { conductOf } from '../conduct.ts';

// The program still has the connection in use, but does not read from it: it only writes, or has switched reading off until
// something else is done. So it never learns that the peer has gone.
export const notReading: Rule = {
  cause: 'not-reading',
  judge(subject) {
    const { kind, traits, sockets } = subject;
    if (kind !== 'held' || !traits) return { kind: 'no' };
    const all = plural(sockets.length, 'socket');
    if (traits.flow === 'clogged') {
      return {
        kind: 'yes',
        confidence: 'likely',
        evidence: [
          {
            fact: `Send-Q holds data on ${all}, and none of it goes out`,
            says: 'what the program writes gets nowhere',
          },
        ],
      };
    }
    if (traits.interest === 'off') {
      return {
        kind: 'yes',
        confidence: traits.reception !== 'read' && areSettled(sockets) ? 'proven' : 'likely',
        evidence: [
          { fact: `${all} in an epoll set without EPOLLIN`, says: 'reading is switched off: the end cannot be seen' },
        ],
      };
    }
    return isPaused(subject)
      ? {
          kind: 'yes',
          confidence: 'likely',
          evidence: [
            {
              fact: `${all} with unread data in no epoll set, while a thread waits for events`,
              says: 'the event loop is free, and was told not to read from them',
            },
          ],
        }
      : { kind: 'no' };
  },
};

/** Most event loops take a socket out of the set when reading and writing are both off. */
function isPaused(subject: Case): boolean {
  const { traits, direction, process } = subject;
  if (traits?.interest !== 'none' || traits.reception !== 'unread' || direction !== 'inbound') return false;
  const usesEpoll = process?.epoll?.sets.some(({ sockets }) => sockets.size > 0);
  return usesEpoll === true && (conductOf(subject)?.ready ?? 0) > 0;
}
