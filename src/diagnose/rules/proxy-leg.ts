import type { Rule } from '../../model/finding.ts';
import { formatEndpoint, formatNumber, plural } from '../../model/words.ts';
import { areSettled } from '../ages.ts';

// The process relays between two connections. One side has hung up, and the process keeps that leg until the other side ends
// too: each stuck connection has a partner in the other direction, on which went out what came in here, at the same moments.
export const proxyLeg: Rule = {
  cause: 'proxy-leg',
  judge({ kind, traits, direction, sockets }) {
    const { legs, reception } = traits ?? {};
    if (kind !== 'held' || !legs || legs.length === 0) return { kind: 'no' };
    // A pooled connection that nobody looks at is no leg: a relay reads both of its legs.
    if (direction === 'outbound' && reception === 'end') return { kind: 'no' };
    const passedOn = legs.filter(({ state }) => state === 'FIN_WAIT2').length;
    const ends = new Set(
      legs.map(({ peer, local }) => (direction === 'inbound' ? formatEndpoint(peer) : `clients of port ${local.port}`)),
    );
    const [end] = ends;
    const other = ends.size === 1 && end !== undefined ? end : `${formatNumber(ends.size)} others`;
    return {
      kind: 'yes',
      confidence: passedOn === sockets.length && passedOn > 1 && areSettled(sockets) ? 'proven' : 'likely',
      evidence: [
        {
          fact: `${formatNumber(legs.length)} of ${formatNumber(sockets.length)} have a second leg to ${other}, with data at the same moments`,
          says: 'the process relays between the two, and keeps one open for the other',
        },
        ...(passedOn > 0
          ? [
              {
                fact: `${plural(passedOn, 'second leg is', 'second legs are')} in FIN_WAIT2`,
                says: `the end was passed on, and ${other} ${ends.size === 1 ? 'has' : 'have'} not closed: look there`,
              },
            ]
          : [{ fact: 'the second legs are established', says: 'the end was not passed on, or has no time-out' }]),
      ],
    };
  },
};
