import type { Case, Evidence } from '../model/finding.ts';
import type { TcpSocket } from '../model/socket.ts';
import { plural } from '../model/words.ts';
import type { Conduct } from './conduct.ts';
import { readyEvidence } from './waits.ts';

/** Data on another connection in this time means that the program works. */
const JUST_NOW_MS = 10_000;

/** What shows that a program goes on with its work meanwhile; nothing when that is not known. */
export function servingEvidence(subject: Case, conduct: Conduct | undefined): Evidence[] {
  const { process, waits } = subject;
  const moving = ofTheSameWork(subject).filter(
    ({ state, lastDataSentMs }) =>
      state === 'ESTABLISHED' && (lastDataSentMs ?? Number.POSITIVE_INFINITY) < JUST_NOW_MS,
  ).length;
  return [
    ...(conduct && conduct.ready > 0 && waits && process ? readyEvidence(waits, process.name) : []),
    ...(moving > 0
      ? [
          {
            fact: `data sent on ${plural(moving, 'other connection')} in the last 10 s`,
            says: 'the program goes on with its work',
          },
        ]
      : []),
  ];
}

/** Others that came in at the same port, or went out to the same server. */
function ofTheSameWork({ sockets, siblings = [], direction }: Case): TcpSocket[] {
  if (siblings.length === 0) return [];
  const nameOf = ({ local, peer }: TcpSocket): string =>
    direction === 'inbound' ? String(local.port) : `${peer.address} ${peer.port}`;
  const names = new Set(sockets.map(nameOf));
  return siblings.flatMap(({ socket }) => (names.has(nameOf(socket)) ? socket : []));
}
