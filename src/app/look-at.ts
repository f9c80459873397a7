import { diagnose } from '../diagnose/diagnose.ts';
import { socketRows } from '../diagnose/socket-rows.ts';
import type { Machine } from '../kernel/machine.ts';
import { DEFAULT_LIMITS, type Diagnosis, type Limits, type SocketRow } from '../model/finding.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { captureFrom } from './capture.ts';
import { applyFilter, type Filter } from './filter.ts';
import { requireMatch } from './matching.ts';
import type { CaptureOptions } from './search.ts';

export type Look = { snapshot: Snapshot; diagnosis: Diagnosis; limits: Limits; rows: () => SocketRow[] };

export type LookOptions = CaptureOptions & { filter?: Filter; numeric?: boolean; limits?: Limits };

/** Captures, filters and diagnoses. */
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
