import type { Machine } from '../kernel/machine.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Look, LookOptions } from './look-at.ts';
import { liveMachine, type SourceChoice } from './machine.ts';
import { readAhead } from './read-ahead.ts';
import type { CaptureOptions } from './search.ts';

/** Where to look: this machine, or a recording of one. */
export type Where = { from?: string; source?: SourceChoice };

export async function machineOf({ from, source }: Where): Promise<Machine> {
  if (from === undefined) return liveMachine(source);
  const { openRecording } = await import('./recording.ts');
  return openRecording(from);
}

/** A source that was named is used or refused, and no other one tried. */
export const withSource = <T extends CaptureOptions & Where>(options: T): T =>
  options.from === undefined && options.source?.startsWith('bpf') ? { ...options, only: 'bpf' } : options;

/** Takes a snapshot of this machine, or of the recording in the folder `from`. */
export async function capture(options: CaptureOptions & Where = {}): Promise<Snapshot> {
  const machine = await machineOf(options);
  try {
    // Without reading ahead: the threads of libuv are those of the program that this is a part of.
    const { captureFrom } = await import('./capture.ts');
    return captureFrom(machine, withSource(options));
  } finally {
    machine.close?.();
  }
}

/** Captures, filters and diagnoses. What that takes is loaded while the kernel reads. */
export async function look(options: LookOptions & Where): Promise<Look> {
  const machine = await machineOf(options);
  const begun = machine.now();
  try {
    const [{ lookAt }] = await Promise.all([import('./look-at.ts'), readAhead(machine, options, settleForMany)]);
    return lookAt(machine, { ...withSource(options), begun });
  } finally {
    machine.close?.();
  }
}

/** Settings of V8 for a process that looks at 100,000 sockets once. */
async function settleForMany(): Promise<void> {
  const { setFlagsFromString } = await import('node:v8');
  // A table of 100,000 sockets is mostly kept, so a young generation that doubles at every turn only takes memory: 180 MB
  // became 125 MB with this, in the same time.
  setFlagsFromString('--semi-space-growth-factor=1');
  // Such a run ends before what the optimizing compiler makes would pay: a fifth of the processor time less without it.
  setFlagsFromString('--no-opt');
}
