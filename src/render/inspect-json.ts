import type { Diagnosis, SocketRow } from '../model/finding.ts';
import type { Call, EndRead, Inside, SocketObject, Strand, WaitedOn } from '../model/inside.ts';
import type { Inspection } from '../model/inspection.ts';
import type { LogFindings } from '../model/logs.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { frameOf, isoTime, jsonText, reportOf, seconds } from './json.ts';

const INSPECT_SCHEMA = 'unclosed.inspect/1';

/** The stable machine form of a look into processes: schema/inspect.json describes it. The report is in it as a whole. */
export const renderInspectJson = (
  snapshot: Snapshot,
  diagnosis: Diagnosis,
  inspections: readonly Inspection[],
  rows: SocketRow[],
): string =>
  jsonText({
    schema: INSPECT_SCHEMA,
    report: reportOf(snapshot, diagnosis, rows),
    inside: inspections.map(insideOf),
  });

function insideOf({ process, inside, logs }: Inspection): object {
  return {
    pid: process.pid,
    name: process.name,
    depth: inside.depth,
    runtime: inside.runtime ?? process.runtime ?? null,
    version: inside.version ?? null,
    strands: inside.strands?.map(strandOf) ?? null,
    deadlocks: inside.deadlocks ?? null,
    objects: inside.objects?.map(objectOf) ?? null,
    objects_complete: inside.objectsComplete ?? null,
    end_reads: inside.endReads?.map(endReadOf) ?? null,
    watched: inside.watchedMs === undefined ? null : seconds(inside.watchedMs),
    classes: inside.classes?.map(({ name, count, change }) => ({ name, count, change: change ?? null })) ?? null,
    pools: inside.pools?.map(({ name, detail }) => ({ name, detail: detail ?? null })) ?? null,
    epoll: inside.epoll ?? null,
    unwatched: inside.unwatched ?? null,
    logs: logs ? logsOf(logs) : null,
    attachments: inside.attachments.map(attachmentOf),
    gaps: [...inside.gaps, ...(logs?.gaps ?? [])],
  };
}

const strandOf = (strand: Strand): object => ({
  kind: strand.kind,
  name: strand.name ?? null,
  tid: strand.tid ?? null,
  count: strand.count ?? 1,
  state: strand.state ?? null,
  kernel_state: strand.kernelState ?? null,
  since: strand.sinceMs === undefined ? null : seconds(strand.sinceMs),
  call: strand.call ? callOf(strand.call) : null,
  busy: strand.busy === undefined ? null : Math.round(strand.busy * 100) / 100,
  sleeps_in: strand.sleepsIn ?? null,
  waits_for: strand.waitsFor ? { lock: strand.waitsFor.lock, owner: strand.waitsFor.owner ?? null } : null,
  holds_interpreter: strand.holdsInterpreter ?? null,
  of_runtime: strand.ofRuntime ?? false,
  frames: strand.frames.map(frameOf),
  created_by: strand.createdBy ? frameOf(strand.createdBy) : null,
});

const callOf = ({ name, kind, on, onCount, timeoutMs, forever, futex }: Call): object => ({
  name,
  kind: kind ?? null,
  on: on?.map(waitedOnOf) ?? null,
  on_count: onCount ?? on?.length ?? null,
  timeout: timeoutMs === undefined ? null : seconds(timeoutMs),
  forever: forever ?? false,
  futex: futex ? { address: futex.address, waiters: futex.waiters, owner: futex.owner ?? null } : null,
});

const waitedOnOf = ({ fd, for: purpose, inode, state, local, peer, file }: WaitedOn): object => ({
  fd,
  for: purpose ?? null,
  inode: inode ?? null,
  state: state ?? null,
  local: local ?? null,
  peer: peer ?? null,
  file: file ?? null,
});

const logsOf = ({ outputs, sources, messages }: LogFindings): object => ({
  outputs: { stdout: outputs.stdout ?? null, stderr: outputs.stderr ?? null },
  sources: sources.map((source) => ({
    kind: source.kind,
    name: source.name,
    stream: source.stream ?? null,
    fd: source.fd ?? null,
    lines: source.lines,
    bytes: source.bytes,
    size: source.size ?? null,
    from: timeOf(source.from),
    to: timeOf(source.to),
    rotated: source.rotated ?? null,
  })),
  messages: messages.map((message) => ({
    id: message.id,
    kind: message.kind,
    says: message.says,
    runtime: message.runtime ?? null,
    library: message.library ?? null,
    count: message.count,
    first: timeOf(message.first),
    last: timeOf(message.last),
    per_minute: message.perMinute.map(({ at, count }) => ({ at: timeOf(at), count })),
    example: message.example,
    source: message.source,
  })),
});

const timeOf = (milliseconds: number | undefined): string | null =>
  milliseconds === undefined ? null : isoTime(milliseconds / 1000);

function objectOf(object: SocketObject): object {
  const { pool } = object;
  return {
    type: object.type,
    fd: object.fd ?? null,
    local: object.local ?? null,
    peer: object.peer ?? null,
    end_delivered: object.endDelivered ?? null,
    paused: object.paused ?? null,
    never_read: object.neverRead ?? null,
    writable_ended: object.writableEnded ?? null,
    allow_half_open: object.allowHalfOpen ?? null,
    destroyed: object.destroyed ?? null,
    buffered_bytes: object.bufferedBytes ?? null,
    pool: pool ? { name: pool.name, idle: pool.idle ?? null } : null,
    referred_by: object.referredBy ?? null,
    handlers: object.handlers?.map(({ event, place }) => ({ event, place: frameOf(place) })) ?? null,
    created: object.created?.map(frameOf) ?? null,
  };
}

const endReadOf = ({ peer, local, strand, frames, agoMs }: EndRead): object => ({
  peer,
  local: local ?? null,
  strand: strand ?? null,
  ago: seconds(agoMs),
  frames: frames.map(frameOf),
});

const attachmentOf = ({ what, tookMs, pauseMs }: Inside['attachments'][number]): object => ({
  what,
  took: seconds(tookMs),
  pause: pauseMs === undefined ? null : seconds(pauseMs),
});
