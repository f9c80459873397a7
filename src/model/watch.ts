import type { Diagnosis, Finding, Severity } from './finding.ts';
import type { Snapshot } from './snapshot.ts';

/** What came into CLOSE_WAIT and what left it. */
export type Flow = {
  /** Since the look before; 0 at the first look. */
  entered: number;
  left: number;
  /** Over the last minute, or the time that was watched; absent while that is too short to say. */
  enteredPerMinute?: number;
  leftPerMinute?: number;
};

/** One finding over time: a process that holds sockets, or an accept queue that they wait in. */
export type WatchRow = {
  /** The same in every frame. */
  key: string;
  name: string;
  /** Of the last look that saw it. */
  finding: Finding;
  /** CLOSE_WAIT sockets, or descriptors of closed ones; 0 when nothing is left. */
  count: number;
  /** Counts of the last looks, the newest last. */
  history: readonly number[];
  flow: Flow;
};

/** A change that is worth a line. `at` is in milliseconds since 1970. */
export type WatchEvent = { at: number; severity: Severity; who: string; what: string; key: string };

/**
 * How entries and exits are known: each one from the kernel (a BPF program, or its tracepoint through tracefs), or only by
 * comparing looks (polls), where a connection that came and went between two of them is not seen. `refused` is why not in
 * a better way; `lost`: there was more than fitted into the buffer, so counts are too low.
 */
export type Trace = { kind: 'bpf' | 'tracefs' | 'polls'; refused?: string; lost: boolean };

/** What the watching itself takes: share of one core since the look before, and memory. */
export type OwnLoad = { cpuShare?: number; residentBytes: number };

/** Everything that one look of a watch has to say. */
export type WatchFrame = {
  /** Milliseconds since 1970. */
  at: number;
  /** Since the look before; absent at the first. */
  intervalMs?: number;
  snapshot: Snapshot;
  diagnosis: Diagnosis;
  /** The worst first; those of which nothing is left come last. */
  rows: readonly WatchRow[];
  /** Of all rows, and of connections that passed through in processes without one. */
  flow: Flow;
  /** New in this frame. */
  events: readonly WatchEvent[];
  /** The last ones of the whole watch, the newest last. */
  log: readonly WatchEvent[];
  trace: Trace;
  own: OwnLoad;
};
