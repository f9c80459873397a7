import type { Case, Evidence, Rule, Verdict } from '../../model/finding.ts';
import type { Process } from '../../model/process.ts';
import { formatDuration, formatEndpoint, formatNumber, plural } from '../../model/words.ts';
import { ageAtLeast } from '../ages.ts';
import { type Conduct, conductOf, inVainAfter, isLoopAtRest } from '../conduct.ts';
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
      const unread = subject.sockets.some(({ recvQueue }) => recvQueue > 0);
      return unread ? yes('proven', evidence) : { kind: 'undecided', evidence };
    }
    if (waits && areAllStuck(waits)) return yes('proven', waitEvidence(waits, process.name));
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
  return yes(traits.reception === 'read' ? 'likely' : 'proven', evidence);
}

const spin = (spinning: number): Evidence[] =>
  spinning === 0
    ? []
    : [
        {
          fact: `${plural(spinning, 'thread uses', 'threads use')} a whole processor each`,
          says: spinning === 1 ? 'it computes, or spins' : 'they compute, or spin',
        },
      ];

/** Requests lie unread, and no thread is where it would see them. */
function nobodyReads(subject: Case, conduct: Conduct): Verdict | undefined {
  const { traits, process, waits, direction } = subject;
  const { asking, watching, polling, running, spinning, uninterruptible } = conduct;
  if (traits?.reception !== 'unread' || direction !== 'inbound' || !process || !waits) return undefined;
  if (traits.interest === 'off') return undefined;
  const evidence = [
    ...spin(spinning),
    ...(uninterruptible > 0
      ? [
          {
            fact: `${plural(uninterruptible, 'thread')} of ${process.name} in uninterruptible sleep (state D)`,
            says: 'for a disk, a network file system or a driver that does not answer',
          },
        ]
      : []),
    ...waitEvidence(waits, process.name),
  ];
  if (asking > 0) return yes('likely', evidence);
  if (watching > 0 && !(watching === polling && haveSomeInHand(subject, conduct))) return undefined;
  if (running > spinning) return { kind: 'undecided', evidence };
  return yes('likely', evidence);
}

/** A thread in poll may be the one that accepts, when others wait for a lock, no fewer than requests were begun. */
function haveSomeInHand({ beside }: Case, { blocked }: Conduct): boolean {
  const begun = (beside?.end ?? 0) + (beside?.read ?? 0);
  return begun > 0 && begun <= blocked;
}

/** As many threads wait for an answer as connections are stuck: each has one in hand, and has read its request. */
function allAsking({ sockets, direction, process, waits }: Case, { asking }: Conduct): Verdict | undefined {
  if (direction !== 'inbound' || asking < sockets.length || !process || !waits) return undefined;
  return yes('likely', waitEvidence(waits, process.name));
}

/**
 * An event loop does not block: its requests wait, and it goes on. But what it asked last has not been answered on any of its
 * connections to one server, for longer than the oldest request has been given up.
 */
function serverSilent(subject: Case): Verdict | undefined {
  const { sockets, siblings, direction, traits } = subject;
  const [oldest] = sockets;
  if (!oldest || direction !== 'inbound') return undefined;
  const needed = Math.max(inVainAfter(subject), ageAtLeast(oldest));
  const inboundPorts = new Set(sockets.map(({ local }) => local.port));
  const servers = new Map<string, { asked: number; all: number; silentMs: number }>();
  for (const socket of siblings ?? []) {
    if (socket.state !== 'ESTABLISHED' || inboundPorts.has(socket.local.port)) continue;
    const name = formatEndpoint(socket.peer);
    const server = servers.get(name) ?? { asked: 0, all: 0, silentMs: Number.POSITIVE_INFINITY };
    const silentMs = silence(socket) ?? 0;
    server.all++;
    if (awaitsAnswer(socket) && silentMs >= needed) server.asked++;
    server.silentMs = Math.min(server.silentMs, silentMs);
    servers.set(name, server);
  }
  const [found] = [...servers].filter(
    ([, { asked, all }]) => asked === all && (asked * 2 >= sockets.length || traits?.reception === 'unread'),
  );
  if (!found) return undefined;
  const [name, { asked, silentMs }] = found;
  return yes('likely', [
    {
      fact: `${formatNumber(asked)} of ${plural(asked, 'connection')} to ${name} without an answer for ${formatDuration(silentMs)}`,
      says: 'requests wait for it, since before the first client gave up',
    },
  ]);
}
