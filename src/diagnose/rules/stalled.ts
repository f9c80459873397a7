import { least } from '../../model/extremes.ts';
import type { Case, Evidence, Rule, Verdict } from '../../model/finding.ts';
import type { Process } from '../../model/process.ts';
import type { TcpSocket } from '../../model/socket.ts';
import { formatDuration, formatEndpoint, plural } from '../../model/words.ts';
import { ageAtLeast, areSettled } from '../ages.ts';
import { askedConnections, askedForRequests } from '../asking.ts';
import { type Conduct, conductOf, inVainAfter, isLoopAtRest } from '../conduct.ts';
import { sleepEvidence } from '../sleep.ts';
import { countUnread } from '../traits.ts';
import { areAllStuck, awaitsAnswer, silence, waitEvidence } from '../waits.ts';

// The program does nothing that could read or close: somebody stopped it, or its threads wait for a lock, for a server
// that does not answer, or compute without end. Its clients give up one after the other, and what they sent stays unread.
export const stalled: Rule = {
  cause: 'stalled',
  judge(subject) {
    const { kind, process, waits } = subject;
    if (kind !== 'held' || !process) return { kind: 'no' };
    const halted = haltOf(process);
    if (halted) {
      const evidence = [{ fact: `the process is ${halted}`, says: 'nothing in it runs until it is let go' }];
      // Unread ends came while it did not run, or nobody read before; what it has read, it could have closed.
      const unread = subject.sockets.some(({ recvQueue }) => recvQueue !== undefined && recvQueue > 0);
      return unread ? yes('proven', evidence) : { kind: 'undecided', evidence };
    }
    if (waits && areAllStuck(waits)) return allStuck(subject, waitEvidence(waits, process.name));
    const conduct = conductOf(subject);
    if (!conduct) return { kind: 'no' };
    return (
      loopAway(subject, conduct) ??
      nobodyReads(subject, conduct) ??
      allAsking(subject, conduct) ??
      serverSilent(subject) ?? { kind: 'no' }
    );
  },
};

/**
 * No thread does anything but wait on silent connections: what came since lies unread. What was read and left, or goes out to a
 * server, was so before; only as many as there are threads can be in their hands.
 */
function allStuck({ traits, direction, sockets, waits }: Case, evidence: Evidence[]): Verdict {
  if (direction !== 'inbound') return { kind: 'no' };
  if (traits?.reception === 'unread') return yes('proven', evidence);
  return sockets.length <= (waits?.threads ?? 0) ? yes('likely', evidence) : { kind: 'undecided', evidence };
}

const yes = (confidence: 'proven' | 'likely', evidence: Evidence[]): Verdict => ({ kind: 'yes', confidence, evidence });

function haltOf({ state, frozen }: Process): string | undefined {
  if (frozen) return 'frozen by its cgroup (docker pause, or the freezer): thawing it lets it run on';
  if (state === 'stopped') return 'stopped (state T): SIGCONT lets it run on';
  return state === 'traced' ? 'stopped by a debugger (state t)' : undefined;
}

/**
 * The event loop watches these sockets for reading, and is told of an end again at every wait, until it closes. An end that
 * stands for long under a loop that comes round would keep it from ever waiting.
 */
function loopAway(subject: Case, { running, spinning }: Conduct): Verdict | undefined {
  const { traits, sockets, process, waits } = subject;
  if (traits?.interest !== 'level' || !process || !waits || isLoopAtRest(subject)) return undefined;
  const watched: Evidence = {
    fact: `${plural(sockets.length, 'socket is', 'sockets are')} watched for reading by an event loop that does not wait for events`,
    says: 'it would be told of each end at once: the loop does not come round',
  };
  const evidence = [watched, ...spin(spinning), ...waitEvidence(waits, process.name)];
  if (spinning > 0) return yes('likely', evidence);
  if (running > 0) return { kind: 'undecided', evidence };
  return yes(traits.reception !== 'read' && areSettled(sockets) ? 'proven' : 'likely', evidence);
}

const spin = (spinning: number): Evidence[] =>
  spinning === 0
    ? []
    : [
        {
          fact:
            spinning === 1
              ? '1 thread uses a whole processor'
              : `${plural(spinning, 'thread')} use a whole processor each`,
          says: spinning === 1 ? 'it computes, or spins' : 'they compute, or spin',
        },
      ];

/** Requests lie unread, and no thread is where it would see them. */
function nobodyReads(subject: Case, conduct: Conduct): Verdict | undefined {
  const { traits, process, waits, direction } = subject;
  const { asking, watching, polling, running, spinning } = conduct;
  if (traits?.reception !== 'unread' || direction !== 'inbound' || !process || !waits) return undefined;
  if (traits.interest === 'off') return undefined;
  const evidence = [...spin(spinning), ...sleepEvidence(conduct, process.name), ...waitEvidence(waits, process.name)];
  if (asking > 0 && isForRequests(subject)) return yes('likely', evidence);
  if (watching > 0 && !(watching === polling && haveSomeInHand(subject, conduct))) return undefined;
  if (running > spinning) return { kind: 'undecided', evidence };
  return yes('likely', evidence);
}

/** Most of what was asked was asked for requests, and not by consumers that wait for news. */
function isForRequests(subject: Case): boolean {
  const asked = askedConnections(subject);
  return asked.length > 0 && askedForRequests(asked, subject) * 2 >= asked.length;
}

/** A thread in poll may be the one that accepts, when others wait for a lock, no fewer than requests were begun. */
function haveSomeInHand({ besides = [] }: Case, { blocked }: Conduct): boolean {
  const begun = besides.length - countUnread(besides);
  return begun > 0 && begun <= blocked;
}

/** As many threads wait for an answer as connections are stuck: each has one in hand, and has read its request. */
function allAsking(subject: Case, { asking }: Conduct): Verdict | undefined {
  const { sockets, direction, process, waits } = subject;
  if (direction !== 'inbound' || asking < sockets.length || !process || !waits) return undefined;
  return isForRequests(subject) ? yes('likely', waitEvidence(waits, process.name)) : undefined;
}

/**
 * An event loop does not block: its requests wait, and it goes on. But what it asked last has not been answered on any of its
 * connections to one server, for longer than the oldest request has been given up.
 */
function serverSilent(subject: Case): Verdict | undefined {
  const { sockets, siblings = [], direction, traits } = subject;
  const oldest = sockets.at(0);
  if (!oldest || direction !== 'inbound') return undefined;
  const needed = Math.max(inVainAfter(subject), ageAtLeast(oldest));
  const asked = new Set(siblings.flatMap(({ socket, inbound }) => (!inbound && awaitsAnswer(socket) ? socket : [])));
  const servers = new Map<string, TcpSocket[]>();
  for (const { socket, inbound } of siblings) {
    if (inbound || socket.state !== 'ESTABLISHED') continue;
    const name = formatEndpoint(socket.peer);
    const same = servers.get(name);
    if (same) same.push(socket);
    else servers.set(name, [socket]);
  }
  for (const [name, all] of servers) {
    if (!all.every((socket) => asked.has(socket) && (silence(socket) ?? 0) >= needed)) continue;
    const enough = all.length * 2 >= sockets.length || (traits?.reception === 'unread' && all.length > 1);
    if (!enough || askedForRequests(all, subject) * 2 < all.length) continue;
    const silentMs = least(all.map((socket) => silence(socket) ?? 0));
    return yes('likely', [
      {
        fact: `no answer on any of ${plural(all.length, 'connection')} to ${name} for ${formatDuration(silentMs)}`,
        says: 'requests wait for it, since before the first client gave up',
      },
    ]);
  }
  return undefined;
}
