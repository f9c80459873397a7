import { least, most } from '../../model/extremes.ts';
import type { Case, Rule } from '../../model/finding.ts';
import type { Sockets } from '../../model/socket-table.ts';
import { formatNumber, plural } from '../../model/words.ts';
import { ageAtLeast } from '../ages.ts';
import { isGrowing } from '../patterns.ts';
import { TLS_GOODBYES } from '../traits.ts';

// A pool of connections to a server keeps idle ones for the next request, and the server has closed them meanwhile. Nobody reads
// an idle connection, so each stays with its end unread until the pool looks at it; their number is bounded by the pool's size.
export const stalePool: Rule = {
  cause: 'stale-pool',
  judge(subject) {
    const { kind, traits, direction, sockets } = subject;
    if (kind !== 'held' || direction !== 'outbound' || !traits || traits.flow !== 'still') return { kind: 'no' };
    // Edge-triggered, it was told once; Go knows all its connections so.
    if (!['none', 'edge', undefined].includes(traits.interest)) return { kind: 'no' };
    if (traits.reception !== 'end' && !isGoodbye(sockets)) return { kind: 'no' };
    if (isGrowing(sockets)) return { kind: 'no' };
    const inUse = siblingsInUse(subject);
    const evidence = [
      {
        fact: `${plural(sockets.length, 'idle outbound connection')} closed by the server, with ${endOf(sockets)} unread`,
        says: 'nobody reads an idle connection of a pool: it is replaced at its next use',
      },
      ...(inUse > 0
        ? [{ fact: `${plural(inUse, 'more connection')} to the same server answered since`, says: 'the pool works' }]
        : []),
    ];
    const bounded = sockets.length <= MOST_IDLE && traits.reception === 'end';
    if (!bounded || (inUse === 0 && !atOneMoment(sockets))) return { kind: 'undecided', evidence };
    return { kind: 'yes', confidence: 'likely', evidence };
  },
};

/** The server has closed all of them at once: it was restarted, or they had been idle since the same moment. */
const ONE_MOMENT_MS = 1000;

function atOneMoment(sockets: Sockets): boolean {
  if (sockets.some(({ lastAckReceivedMs }) => lastAckReceivedMs === undefined)) return false;
  const ages = sockets.map(ageAtLeast);
  return sockets.length > 1 && most(ages) - least(ages) <= ONE_MOMENT_MS;
}

/** Pools keep 5 to 100 idle connections to one server; of more it is not clear that they are bounded. */
const MOST_IDLE = 100;
/** A server that says why it hangs up says the same to all: an error packet, or a response 408. */
const LONGEST_GOODBYE = 600;

function isGoodbye(sockets: Sockets): boolean {
  const first = sockets.at(0);
  if (first?.recvQueue === undefined || sockets.length < 2 || first.recvQueue > LONGEST_GOODBYE) return false;
  return sockets.every(({ recvQueue }) => recvQueue === first.recvQueue);
}

function endOf(sockets: Sockets): string {
  const sizes = new Set(sockets.flatMap(({ recvQueue }) => recvQueue ?? []));
  if ([...sizes].every((size) => TLS_GOODBYES.has(size))) return 'a TLS goodbye and the end';
  return sizes.size === 1 && sizes.has(1) ? 'only the end' : `${formatNumber(most(sizes))} bytes at most`;
}

function siblingsInUse({ siblings = [], sockets }: Case): number {
  const servers = new Set(sockets.map(({ peer }) => `${peer.address} ${peer.port}`));
  const youngest = least(sockets.map(ageAtLeast));
  return siblings.filter(
    ({ socket: { state, peer, lastDataReceivedMs } }) =>
      state === 'ESTABLISHED' &&
      servers.has(`${peer.address} ${peer.port}`) &&
      (lastDataReceivedMs ?? Number.POSITIVE_INFINITY) < youngest,
  ).length;
}
