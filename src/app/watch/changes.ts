import type { Finding, Severity } from '../../model/finding.ts';
import type { TcpSocket } from '../../model/socket.ts';
import type { WatchEvent } from '../../model/watch.ts';
import { formatDuration, formatNumber, plural } from '../../model/words.ts';

/** What was last said of a row, and who has come since. */
export type Told = { count: number; at: number; severity: Severity; peers: ReadonlyMap<string, number> };

/** A change is told when it is at least this, and this share of what was there. */
const FEWEST = 10;
const SHARE = 0.05;
/** A row that changes all the time is told of no more often than this. */
const PAUSE_MS = 10_000;
/** Peers that are remembered by their address; the others count as one more. */
const MOST_PEERS = 64;
const OTHER_PEERS = 'others';
/** From this share on it is "mostly" one peer. */
const MOSTLY = 0.8;

export const toldNow = (count: number, at: number, severity: Severity): Told => ({
  count,
  at,
  severity,
  peers: new Map(),
});

type Now = { at: number; count: number; finding: Finding; arrived: readonly TcpSocket[] };

/** What is worth a line since the last one: a count that has moved, a severity that has changed. */
export function changesOf(told: Told, now: Now): { told: Told; news: Pick<WatchEvent, 'severity' | 'what'>[] } {
  const { at, count, finding } = now;
  const { severity, cause, subject } = finding;
  // What only passes through comes and goes; its rate has a column of its own.
  if (cause === 'churn') return { told: toldNow(count, at, severity), news: [] };
  const peers = addPeers(told.peers, now.arrived);
  const news: Pick<WatchEvent, 'severity' | 'what'>[] = [];
  const change = count - told.count;
  const worthALine =
    count === 0 ? told.count > 0 : Math.abs(change) >= Math.max(FEWEST, SHARE * told.count) && at >= told.at + PAUSE_MS;
  if (worthALine) {
    const time = formatDuration(Math.max(1000, at - told.at));
    const from = change > 0 ? whereFrom(peers, subject.direction === 'outbound') : '';
    const what =
      count === 0
        ? `none left (${plural(told.count, 'socket')} before)`
        : `${change > 0 ? '+' : '-'}${formatNumber(Math.abs(change))} in ${time}${from}`;
    news.push({ severity: change > 0 ? severity : 'ok', what });
  }
  const changed = severityNews(told.severity, finding);
  if (changed !== undefined && count > 0) news.push({ severity, what: changed });
  return { told: worthALine ? toldNow(count, at, severity) : { ...told, severity, peers }, news };
}

function severityNews(before: Severity, { severity, crossed }: Finding): string | undefined {
  if (severity === before) return undefined;
  if (severity === 'ok') return `no longer ${before}`;
  return `${severity}: ${crossed.join(', ')}`;
}

function addPeers(peers: Told['peers'], arrived: readonly TcpSocket[]): Told['peers'] {
  if (arrived.length === 0) return peers;
  const all = new Map(peers);
  for (const { peer } of arrived) {
    const known = all.has(peer.address) || all.size < MOST_PEERS;
    const key = known ? peer.address : OTHER_PEERS;
    all.set(key, (all.get(key) ?? 0) + 1);
  }
  return all;
}

function whereFrom(peers: Told['peers'], outbound: boolean): string {
  const preposition = outbound ? 'to' : 'from';
  const counts = [...peers].sort((a, b) => b[1] - a[1]);
  const [first] = counts;
  if (!first) return '';
  const all = counts.reduce((sum, [, count]) => sum + count, 0);
  const [address, count] = first;
  if (address === OTHER_PEERS) return '';
  if (count === all) return all === 1 ? `, ${preposition} ${address}` : `, all ${preposition} ${address}`;
  if (count >= MOSTLY * all) return `, mostly ${preposition} ${address}`;
  const more = peers.has(OTHER_PEERS) ? 'more than ' : '';
  return `, ${preposition} ${more}${plural(counts.length - (more ? 1 : 0), 'address', 'addresses')}`;
}
