import type { Evidence, Finding } from '../../model/finding.ts';
import type { Growth, Snapshot } from '../../model/snapshot.ts';
import type { TcpSocket } from '../../model/socket.ts';
import { formatNumber } from '../../model/words.ts';

const keyOf = ({ local, peer }: TcpSocket): string => `${local.address} ${local.port} ${peer.address} ${peer.port}`;

const closeWaitOf = ({ sockets }: Snapshot): TcpSocket[] => [...sockets].filter(({ state }) => state === 'CLOSE_WAIT');

/**
 * The later snapshot with what the earlier one adds: which sockets were there already, and so are at least that old.
 * A connection is known again by its two ends; a port is used again only after many others.
 */
export function withGrowth(before: Snapshot, after: Snapshot, afterMs: number | undefined): Snapshot {
  const earlier = new Set(closeWaitOf(before).map(keyOf));
  const growth: Growth = {
    before: earlier.size,
    appeared: 0,
    gone: 0,
    stayed: 0,
    ...(afterMs !== undefined && { afterMs }),
  };
  const there = new Set<string>();
  for (const socket of closeWaitOf(after)) {
    const key = keyOf(socket);
    there.add(key);
    const stayed = earlier.has(key);
    if (stayed) growth.stayed++;
    else growth.appeared++;
    if (afterMs === undefined) continue;
    if (stayed) socket.seenAgoMs = afterMs;
    else socket.cameWithinMs = afterMs;
  }
  for (const key of earlier) if (!there.has(key)) growth.gone++;
  return { ...after, growth };
}

/** What the earlier capture says of one process: its own new and gone sockets, and how fast it grows. */
export function addGrowth(finding: Finding, before: Snapshot, { growth }: Snapshot): void {
  const { process, kind } = finding.subject;
  if (!growth || kind !== 'held' || !process) return;
  const inodes = before.processes.get(process.pid)?.sockets;
  const earlier = new Set(
    closeWaitOf(before).flatMap((it) => (it.inode !== undefined && inodes?.has(it.inode) ? keyOf(it) : [])),
  );
  const now = new Set(finding.subject.sockets.map(keyOf));
  const appeared = [...now].filter((key) => !earlier.has(key)).length;
  const gone = [...earlier].filter((key) => !now.has(key)).length;
  finding.evidence.push(growthEvidence(appeared, gone, now.size - appeared));
  const { afterMs } = growth;
  if (afterMs !== undefined && appeared > gone) {
    finding.arrivals = { perHour: ((appeared - gone) / afterMs) * 3600_000, windowMs: afterMs };
  }
}

const growthEvidence = (appeared: number, gone: number, stayed: number): Evidence => ({
  fact: `since the capture before: ${formatNumber(appeared)} new, ${formatNumber(gone)} gone, ${formatNumber(stayed)} still there`,
  says:
    stayed === 0
      ? 'none stays from one capture to the next: they are closed, late'
      : appeared > gone
        ? 'it grows'
        : 'these stay, and it does not grow',
});
