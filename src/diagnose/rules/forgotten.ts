import type { Evidence, Rule } from '../../model/finding.ts';
import { plural } from '../../model/words.ts';
import { conductOf } from '../conduct.ts';
import { mayBeCopies } from '../copies.ts';
import { servingEvidence } from '../serving.ts';
import { countUnread } from '../traits.ts';

/** Fewer idle outbound connections can be those of a pool, which keeps them on purpose. */
const MANY_FOR_A_POOL = 10;

// The program has dropped the connection: it has read what came before the end, nobody reads any more, and nobody closed it.
// It shows as an unread end in a socket that no epoll set knows and no thread waits for, in a program that goes on working.
export const forgotten: Rule = {
  cause: 'forgotten',
  judge(subject, snapshot) {
    const { kind, traits, sockets, direction, besides = [] } = subject;
    if (kind !== 'held' || !traits || traits.flow !== 'still') return { kind: 'no' };
    // A response that nobody reads to its end was dropped with its connection; a request may yet be read.
    const dropped = traits.reception === 'end' || (traits.reception === 'unread' && direction === 'outbound');
    // Runtimes that know every connection edge-triggered, as Go does, know those too that they have forgotten.
    const watched = traits.interest === 'edge' ? direction === 'inbound' : (traits.interest ?? 'none') !== 'none';
    if (!dropped || watched) return { kind: 'no' };
    const stillUnread = direction === 'inbound' && countUnread(besides) > 0;
    const conduct = conductOf(subject);
    const serving = servingEvidence(subject, conduct);
    const evidence: Evidence[] = [
      ...(traits.interest === 'none'
        ? [
            {
              fact: `${plural(sockets.length, 'socket')} in no epoll set${conduct ? `, and no thread waits for ${sockets.length === 1 ? 'it' : 'one of them'}` : ''}`,
              says: 'nobody is told of the end, so nobody will close it',
            },
          ]
        : []),
      ...serving,
    ];
    if (traits.interest === undefined || stillUnread || mayBeCopies(subject, snapshot))
      return { kind: 'undecided', evidence };
    // Threads that are stuck can each have one in hand, whose request they have read.
    const inHand = conduct && serving.length === 0 && sockets.length <= conduct.threads;
    if (!conduct || inHand || conduct.asking >= sockets.length) return { kind: 'undecided', evidence };
    if (direction === 'outbound' && traits.reception === 'end' && sockets.length < MANY_FOR_A_POOL) {
      return { kind: 'undecided', evidence };
    }
    return { kind: 'yes', confidence: 'likely', evidence };
  },
};
