import type { Case, CodePlace, Diagnosis, Finding, SocketRow } from '../model/finding.ts';
import type { Frame } from '../model/inside.ts';
import type { Process } from '../model/process.ts';
import type { Growth, Snapshot, Source } from '../model/snapshot.ts';
import { type AgeRange, type Endpoint, keepaliveOf, type Listener } from '../model/socket.ts';

export const REPORT_SCHEMA = 'unclosed.report/1';

/** The stable machine form: schema/report.json describes it. Times are seconds; what is not known is null or absent. */
export const renderJson = (snapshot: Snapshot, diagnosis: Diagnosis, rows?: SocketRow[]): string =>
  jsonText(reportOf(snapshot, diagnosis, rows));

export const jsonText = (document: object): string => `${escapeControls(JSON.stringify(document, null, 2))}\n`;

/** The document itself, for others that hold it. */
export function reportOf(snapshot: Snapshot, diagnosis: Diagnosis, rows?: SocketRow[]): object {
  const { findings, status, gaps } = diagnosis;
  return {
    schema: REPORT_SCHEMA,
    taken_at: isCapture(snapshot) ? null : isoTime(snapshot.takenAt / 1000),
    took_ms: snapshot.tookMs,
    source: sourceOf(snapshot.source),
    ...(snapshot.host && { host: snapshot.host }),
    status,
    totals: totalsOf(snapshot, diagnosis),
    ...(snapshot.growth && { growth: growthOf(snapshot.growth) }),
    findings: findings.map((finding) => findingOf(finding, snapshot)),
    ...(rows && {
      sockets: rows.map(socketOf),
      closed_but_held: snapshot.closedButHeld?.map(({ pid, fd, inode }) => ({ pid, fd, inode })) ?? null,
    }),
    gaps,
    reading: {
      source: snapshot.reading.source,
      bpf_refused: snapshot.reading.bpfRefused ?? null,
      namespaces_by_netlink: snapshot.reading.netlink,
      namespaces_by_text: snapshot.reading.text,
      processes_looked_at: snapshot.reading.lookedAt,
      processes_left_out: snapshot.reading.leftOut,
    },
  };
}

const isCapture = ({ source }: Snapshot): boolean => source.kind === 'capture';

/** What was seen in all. */
export const totalsOf = (snapshot: Snapshot, { totals }: Diagnosis): object => ({
  tcp_sockets: snapshot.tcpSockets ?? null,
  by_state: snapshot.byState,
  close_wait: totals.closeWait,
  stuck: totals.stuck,
  maybe_stuck: totals.maybeStuck,
  closed_but_held: totals.closedButHeld ?? null,
  namespaces: isCapture(snapshot) ? null : snapshot.namespaces.filter(({ read }) => read).length,
  processes: snapshot.processCount,
});

// JSON.stringify escapes the C0 controls; a terminal obeys some of the others too.
export const escapeControls = (text: string): string =>
  text.replace(/[\u007f-\u009f]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);

const sourceOf = (source: Source): object => (source.kind === 'live' ? { kind: 'live' } : source);

function growthOf({ afterMs, before, appeared, gone, stayed }: Growth): object {
  return {
    after: afterMs === undefined ? null : seconds(afterMs),
    before,
    appeared,
    gone,
    stayed,
    per_hour: afterMs === undefined ? null : Math.round(((appeared - gone) / afterMs) * 36_000_000) / 10,
  };
}

export const seconds = (milliseconds: number): number => Math.round(milliseconds) / 1000;

function findingOf(finding: Finding, { listeners }: Snapshot): object {
  const { subject, age, arrivals, fds } = finding;
  const { process, listener, kind } = subject;
  return {
    severity: finding.severity,
    crossed: finding.crossed,
    harmless: finding.harmless ?? null,
    cause: finding.cause,
    confidence: finding.confidence,
    patterns: finding.patterns,
    holder: process && kind !== 'backlog' ? holderOf(process, listeners) : null,
    ...(listener && {
      listener: {
        ...endpointOf(listener.local),
        queue: queueOf(listener),
        limit: listener.limit ?? null,
        pid: listenerPid(subject),
        ...(kind === 'backlog' && process && { holder: holderOf(process, listeners) }),
      },
    }),
    direction: kind === 'closed' || subject.direction === 'unknown' ? null : subject.direction,
    sockets: kind === 'closed' ? subject.closedFds : kind === 'counted' ? subject.maybeStuck : subject.sockets.length,
    stuck: subject.stuck,
    maybe_stuck: subject.maybeStuck,
    connections: subject.connections ?? null,
    age: age
      ? {
          oldest: seconds(age.oldestMs),
          oldest_at_most: seconds(age.oldestAtMostMs),
          median: seconds(age.medianMs),
          youngest: seconds(age.youngestMs),
          exact: age.exact,
        }
      : null,
    arrivals: arrivals
      ? { per_hour: Math.round(arrivals.perHour * 10) / 10, window: seconds(arrivals.windowMs) }
      : null,
    fds: fds ? fdsOf(fds) : null,
    forecast: finding.forecast.map(({ resource, inMs }) => ({ resource, in: Math.round(inMs / 1000) })),
    peers: subject.peers.map(({ address, port, service, sockets, process: other }) => ({
      address,
      port: knownPort(port),
      service: service ?? null,
      sockets,
      process: other ?? null,
    })),
    co_holders: subject.coHolders.map(({ process: other, sockets }) => ({ pid: other.pid, name: other.name, sockets })),
    ...(finding.code && { code: finding.code.map(codeOf) }),
    evidence: finding.evidence,
    next: finding.next.map(({ command, why }) => ({ command: command ?? null, why })),
  };
}

const codeOf = ({ role, frame, callers, sockets, strands, of, kind, what }: CodePlace): object => ({
  role,
  frame: frame ? frameOf(frame) : null,
  callers: callers.map(frameOf),
  sockets: sockets ?? null,
  strands: strands ?? null,
  of: of ?? null,
  kind: kind ?? null,
  what: what ?? null,
});

export const frameOf = ({ function: name, file, line, origin }: Frame): object => ({
  function: name,
  file: file ?? null,
  line: line ?? null,
  origin,
});

function listenerPid({ process, listener }: Case): number | null {
  return process && listener?.inode !== undefined && process.sockets?.has(listener.inode) ? process.pid : null;
}

export function fdsOf({ open, limit, fullInMs }: NonNullable<Finding['fds']>): object {
  return {
    open,
    limit: limit ?? null,
    share: limit === undefined ? null : Math.round((open / limit) * 10_000) / 10_000,
    full_in: fullInMs === undefined ? null : Math.round(fullInMs / 1000),
  };
}

function holderOf(process: Process, listeners: Listener[]): object {
  const { pid, name, command, runtime, user, uid, unit, container, pod, startedAt, state, threads, parent, netns } =
    process;
  return {
    pid,
    name,
    command: command ?? null,
    runtime: runtime ?? null,
    libraries: (process.libraries ?? []).map(({ name, version }) => ({ name, version: version ?? null })),
    user: user ?? null,
    uid: uid ?? null,
    unit: unit ?? null,
    container: container ?? null,
    pod: pod ?? null,
    started_at: startedAt === undefined ? null : isoTime(startedAt),
    state: state ?? null,
    threads: threads ?? null,
    parent: parent ?? null,
    netns: netns ?? null,
    fd_hard_limit: finite(process.fdHardLimit),
    listeners: listeners.flatMap((it) =>
      it.inode !== undefined && process.sockets?.has(it.inode)
        ? { ...endpointOf(it.local), queue: queueOf(it), limit: it.limit ?? null }
        : [],
    ),
  };
}

/** Of a port that a capture tells only by name the number is not known. */
const knownPort = (port: number | undefined): number | null => (port === undefined || port < 0 ? null : port);

const endpointOf = ({ address, port }: Endpoint): object => ({ address, port: knownPort(port) });

const queueOf = ({ queue, queueUnknown }: Listener): number | null => (queueUnknown ? null : queue);

const finite = (value: number | undefined): number | null =>
  value === undefined || !Number.isFinite(value) ? null : value;

function socketOf({ socket, age, cause, holders }: SocketRow): object {
  return {
    netns: socket.netns === 0 ? null : socket.netns,
    local: endpointOf(socket.local),
    peer: endpointOf(socket.peer),
    state: socket.state,
    recv_q: socket.recvQueue ?? null,
    send_q: socket.sendQueue ?? null,
    inode: socket.inodeUnknown ? null : (socket.inode ?? null),
    cookie: socket.cookie === undefined ? null : String(socket.cookie),
    uid: socket.uid ?? null,
    cgroup: socket.cgroupId === undefined ? null : String(socket.cgroupId),
    timer: socket.timer ?? null,
    keepalive: keepaliveOf(socket) ?? null,
    bytes_acked: socket.bytesAcked ?? null,
    bytes_received: socket.bytesReceived ?? null,
    linger: socket.linger ?? null,
    in_epoll: socket.inEpoll ?? null,
    awaited: socket.awaited ?? null,
    shutdown: socket.shutdown ?? null,
    error: socket.error ?? null,
    age: ageFields(age),
    cause,
    holders: holders.flatMap(({ pid, fds }) => (fds.length === 0 ? [null] : fds).map((fd) => ({ pid, fd }))),
  };
}

const ageFields = ({ atLeastMs, atMostMs }: AgeRange): object => ({
  at_least: atLeastMs === undefined ? null : seconds(atLeastMs),
  at_most: atMostMs === undefined ? null : seconds(atMostMs),
});

/** ISO 8601 in UTC from seconds since 1970, without a clock: days to a date as in Hinnant's civil_from_days. */
export function isoTime(secondsSince1970: number): string {
  const milliseconds = Math.round(secondsSince1970 * 1000);
  const days = Math.floor(milliseconds / 86_400_000);
  const rest = milliseconds - days * 86_400_000;
  const shifted = days + 719_468; // days since 0000-03-01
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = [3_600_000, 60_000, 1000]
    .map((unit, i) => two(Math.floor(rest / unit) % (i === 0 ? 24 : 60)))
    .join(':');
  return `${year}-${two(month)}-${two(day)}T${clock}.${String(rest % 1000).padStart(3, '0')}Z`;
}
