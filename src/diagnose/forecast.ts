import type { Arrivals, Case, Cause, Finding, Forecast } from '../model/finding.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { SocketRows } from '../model/socket-table.ts';
import { sharing } from './listeners.ts';

/** These do not grow without end. */
const BOUNDED: ReadonlySet<Cause> = new Set(['churn', 'half-close', 'stale-pool']);

/** A rate is taken to hold for at most so many times as long as it was watched: beyond, a date would be made of noise. */
const FURTHEST = 100;

/** When what the leak uses up is used up at its present rate, the earliest first. Nothing without a rate. */
export function forecastOf(
  subject: Case,
  cause: Cause,
  fds: Finding['fds'],
  arrivals: Arrivals | undefined,
  snapshot: Snapshot,
): Forecast[] {
  if (!arrivals || arrivals.perHour <= 0 || BOUNDED.has(cause)) return [];
  const { perHour, windowMs } = arrivals;
  const inMs = (left: number, rate = perHour): number => (Math.max(0, left) / rate) * 3600_000;
  const found: Forecast[] = [];
  if (subject.kind === 'backlog') {
    const room = roomInQueue(subject, snapshot);
    if (room !== undefined) found.push({ resource: 'accept-queue', inMs: inMs(room) });
  } else {
    if (fds?.limit !== undefined) found.push({ resource: 'descriptors', inMs: inMs(fds.limit - fds.open) });
    const ports = portsLeft(subject, snapshot);
    if (ports) found.push({ resource: 'ports', inMs: inMs(ports.left, perHour * ports.share) });
    const { files } = snapshot;
    if (files && Number.isFinite(files.limit)) found.push({ resource: 'files', inMs: inMs(files.limit - files.open) });
  }
  return found.filter((it) => it.inMs <= FURTHEST * windowMs).sort((a, b) => a.inMs - b.inMs);
}

/** The kernel takes one more than the limit. With SO_REUSEPORT it is not known whose queue fills. */
function roomInQueue({ listener }: Case, { listeners }: Snapshot): number | undefined {
  if (listener?.limit === undefined || sharing(listener, listeners).length > 1) return undefined;
  return listener.limit + 1 - listener.queue;
}

/** Each connection to one destination needs a port of its own; the destination with most of them runs out first. */
function portsLeft(
  { direction, peers, sockets }: Case,
  { namespaces, sockets: all, byState }: Snapshot,
): { left: number; share: number } | undefined {
  const [top] = peers;
  const netns = sockets.at(0)?.netns;
  const ports = namespaces.find(({ id }) => id === netns)?.localPorts;
  if (direction !== 'outbound' || !top || ports === undefined || byState.ESTABLISHED === undefined) return undefined;
  const { table, rows } = SocketRows.of(all);
  const goesThere = (row: number): boolean =>
    table.ends[table.end[row] ?? 0]?.netns === netns &&
    table.addresses[table.peer[row] ?? 0] === top.address &&
    table.peerPortAt(row) === top.port;
  return { left: ports - rows.filter(goesThere).length, share: top.sockets / sockets.length };
}
