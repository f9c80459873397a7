import { RecordingMachine } from '../kernel/recorder.ts';
import type { Tape } from '../kernel/tape.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { captureFrom } from './capture.ts';
import { machineOf, type Where, withSource } from './look.ts';
import { readAllParameters } from './parameters.ts';
import { requireEmpty, writeRecording } from './recording.ts';
import { scrubTape } from './scrub.ts';
import type { CaptureOptions } from './search.ts';

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
