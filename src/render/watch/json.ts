import type { Flow, WatchFrame, WatchRow } from '../../model/watch.ts';
import { escapeControls, fdsOf, isoTime, seconds, totalsOf } from '../json.ts';

const WATCH_SCHEMA = 'unclosed.watch/1';

/** Peers of a row that are told; the report has all. */
const MOST_PEERS = 5;

/** One line for a look: schema/watch.json describes it. Times are seconds; what is not known is null or absent. */
export function renderWatchJson(frame: WatchFrame, reached: boolean | undefined): string {
  const { at, intervalMs, snapshot, diagnosis, rows, flow, events, trace, own } = frame;
  const { status, gaps } = diagnosis;
  const document = {
    schema: WATCH_SCHEMA,
    taken_at: isoTime(at / 1000),
    took_ms: snapshot.tookMs,
    interval: intervalMs === undefined ? null : seconds(intervalMs),
    status,
    totals: { ...totalsOf(snapshot, diagnosis), ...flowOf(flow) },
    rows: rows.map(rowOf),
    events: events.map(({ at: time, severity, who, what }) => ({
      at: isoTime(time / 1000),
      severity,
      who,
      what,
    })),
    ...(reached !== undefined && { reached }),
    source: snapshot.reading.source,
    trace: { source: trace.kind, refused: trace.refused ?? null, lost: trace.lost },
    own: {
      cpu_share: own.cpuShare === undefined ? null : Math.round(own.cpuShare * 10_000) / 10_000,
      resident_bytes: own.residentBytes,
    },
    gaps,
  };
  return `${escapeControls(JSON.stringify(document))}\n`;
}

const perMinute = (rate: number | undefined): number | null => (rate === undefined ? null : Math.round(rate * 10) / 10);

const flowOf = ({ entered, left, enteredPerMinute, leftPerMinute }: Flow): object => ({
  entered,
  left,
  entered_per_minute: perMinute(enteredPerMinute),
  left_per_minute: perMinute(leftPerMinute),
});

function rowOf({ finding, count, flow }: WatchRow): object {
  const { severity, cause, confidence, subject, age, arrivals, fds } = finding;
  const { kind, process, listener } = subject;
  const gone = count === 0;
  return {
    kind,
    severity: gone ? 'ok' : severity,
    cause,
    confidence,
    process: process
      ? {
          pid: process.pid,
          name: process.name,
          runtime: process.runtime ?? null,
          unit: process.unit ?? null,
          container: process.container ?? null,
          pod: process.pod ?? null,
        }
      : null,
    ...(listener && { listener: { ...listener.local, queue: listener.queue, limit: listener.limit ?? null } }),
    sockets: count,
    stuck: gone ? 0 : subject.stuck,
    maybe_stuck: gone ? 0 : subject.maybeStuck,
    ...flowOf(flow),
    oldest: gone || !age ? null : seconds(age.oldestMs),
    arrivals_per_hour: arrivals ? Math.round(arrivals.perHour * 10) / 10 : null,
    fds: fds ? fdsOf(fds) : null,
    peers: gone
      ? []
      : subject.peers
          .slice(0, MOST_PEERS)
          .map(({ address, port, sockets }) => ({ address, port: port ?? null, sockets })),
  };
}
