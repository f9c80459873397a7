import { diagnose } from '../diagnose/diagnose.ts';
import { socketRows } from '../diagnose/socket-rows.ts';
import type { Machine } from '../kernel/machine.ts';
import { RecordingMachine } from '../kernel/recorder.ts';
import type { Tape } from '../kernel/tape.ts';
import { DEFAULT_LIMITS, type Diagnosis, type Limits, type SocketRow } from '../model/finding.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { captureFrom } from './capture.ts';
import { applyFilter, type Filter } from './filter.ts';
import { liveMachine, type SourceChoice } from './machine.ts';
import { requireMatch } from './matching.ts';
import { readAllParameters } from './parameters.ts';
import { openRecording, requireEmpty, writeRecording } from './recording.ts';
import { scrubTape } from './scrub.ts';
import type { CaptureOptions } from './search.ts';

/** Where to look: this machine, or a recording of one. */
export type Where = { from?: string; source?: SourceChoice };

export const machineOf = async ({ from, source }: Where): Promise<Machine> =>
  from === undefined ? liveMachine(source) : openRecording(from);

/** Takes a snapshot of this machine, or of the recording in the folder `from`. */
export async function capture(options: CaptureOptions & Where = {}): Promise<Snapshot> {
  return captureFrom(await machineOf(options), withSource(options));
}

/** A source that was named is used or refused, and no other one tried. */
export const withSource = <T extends CaptureOptions & Where>(options: T): T =>
  options.from === undefined && options.source?.startsWith('bpf') ? { ...options, only: 'bpf' } : options;

export type Look = { snapshot: Snapshot; diagnosis: Diagnosis; limits: Limits; rows: () => SocketRow[] };

export type LookOptions = CaptureOptions & { filter?: Filter; numeric?: boolean; limits?: Limits };

/** Captures, filters and diagnoses. */
export const look = async (options: LookOptions & Where): Promise<Look> =>
  lookAt(await machineOf(options), withSource(options));

/** The same of a machine that is there already. */
export function lookAt(machine: Machine, options: LookOptions): Look {
  const { filter = {} } = options;
  const set = options.limits ?? DEFAULT_LIMITS;
  const limits = { ...set, stuckAfterMs: options.stuckAfterMs ?? set.stuckAfterMs };
  const whole = captureFrom(machine, { ...options, stuckAfterMs: limits.stuckAfterMs });
  const seen = applyFilter(whole, filter);
  const snapshot = options.numeric ? withoutNames(seen) : seen;
  const diagnosis = diagnose(snapshot, limits);
  if (diagnosis.findings.length === 0) requireMatch(machine, filter, whole, () => diagnose(whole, limits));
  return { snapshot, diagnosis, limits, rows: () => socketRows(diagnosis) };
}

export function withoutNames(snapshot: Snapshot): Snapshot {
  for (const process of snapshot.processes.values()) delete process.user;
  return { ...snapshot, services: new Map() };
}

/** Writes everything that a report of this machine is made of to a folder. */
export async function record(
  directory: string,
  options: CaptureOptions & Where & { scrub: boolean },
): Promise<Snapshot> {
  requireEmpty(directory);
  const { tape, snapshot } = await recordTape(options);
  writeRecording(options.scrub ? scrubTape(tape) : tape, directory, options.scrub);
  return snapshot;
}

/** Everything that a report is made of, as it was answered. */
export async function recordTape(options: CaptureOptions & Where): Promise<{ tape: Tape; snapshot: Snapshot }> {
  const machine = new RecordingMachine(await machineOf(options));
  const snapshot = captureFrom(machine, {
    ...withSource(options),
    young: true,
    allHolders: true,
    closedButHeld: 'always',
  });
  readAllParameters(machine);
  return { tape: machine.tape, snapshot };
}
