import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { attempt } from '../kernel/attempt.ts';
import { type Machine, OWN_NETNS, readText } from '../kernel/machine.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { type InspectLook, type InspectOptions, inspect } from './inspect.ts';
import { liveMachine } from './machine.ts';
import { readMachineParameters, readNetnsParameters } from './parameters.ts';
import { recordTape } from './record.ts';
import { recordingFiles } from './recording.ts';
import { replaceWords, Scrubber, scrubTape } from './scrub.ts';
import { VERSION } from './version.ts';

/** What a maintainer asks for first: which versions, which limits, which kernel parameters. */
type Surroundings = {
  unclosed: string;
  node: string;
  kernel: string;
  arch: string;
  distribution: string | null;
  limits: Record<string, string>;
  parameters: Record<string, string>;
};

export type Bundle = {
  seen: InspectLook;
  surroundings: Surroundings;
  recording: { name: string; bytes: Uint8Array | string }[];
  /** Replaces what must not leave the machine, in text. */
  scrub(text: string): string;
};

/** Looks, looks inside, and records, without what must not leave the machine: command lines, users, hosts, and addresses. */
export async function collect(options: InspectOptions & { keepAddresses: boolean }): Promise<Bundle> {
  const machine = await liveMachine();
  const seen = await inspect(machine, options);
  const { tape } = await recordTape(options.limits ? { stuckAfterMs: options.limits.stuckAfterMs } : {});
  const scrubber = new Scrubber({ keepAddresses: options.keepAddresses });
  const recording = [...recordingFiles(scrubTape(tape, scrubber), true)];
  const surroundings = surroundingsOf(machine, options.pids);
  const words = namesIn(seen.snapshot, scrubber);
  hideNames(seen.snapshot, scrubber);
  return { seen, surroundings, recording, scrub: (text) => scrubber.text(replaceWords(text, words)) };
}

/** Below, users are services, which are called as their programs are (login.defs(5), UID_MIN). */
const FIRST_PERSON = 1000;

/** Names of the host, which lines of logs call by its first label, and of people. */
function namesIn({ host, processes }: Snapshot, scrubber: Scrubber): Map<string, string> {
  const words = new Map<string, string>();
  for (const name of [host?.name, host?.name.split('.')[0]]) if (name) words.set(name, 'host');
  for (const { uid, user } of processes.values())
    if (user !== undefined && uid !== undefined && uid >= FIRST_PERSON && user !== 'nobody')
      words.set(user, `user${scrubber.uid(uid)}`);
  return words;
}

/** Command lines hold passwords; names of users and hosts are nobody's business. */
function hideNames(snapshot: Snapshot, scrubber: Scrubber): void {
  for (const process of snapshot.processes.values()) {
    if (process.command !== undefined) process.command = scrubber.command(process.command);
    if (process.uid !== undefined) process.uid = scrubber.uid(process.uid);
    if (process.user !== undefined) process.user = process.uid === 0 ? 'root' : `user${process.uid ?? ''}`;
  }
  if (snapshot.host) snapshot.host = { ...snapshot.host, name: 'host' };
}

function surroundingsOf(machine: Machine, [pid]: number[]): Surroundings {
  const { kernel, arch } = machine.host();
  const netns = attempt(() => readNetnsParameters(machine, { id: machine.ownNetns(), paths: [OWN_NETNS], pids: [] }));
  const limits = attempt(() => readText(machine, `/proc/${pid}/limits`)) ?? '';
  return {
    unclosed: VERSION,
    node: process.version,
    kernel: kernel || release(),
    arch,
    distribution: distribution(),
    limits: Object.fromEntries(
      limits
        .split('\n')
        .slice(1)
        .flatMap((line) => {
          const [name, ...rest] = line.trim().split(/ {2,}/);
          return name ? [[name, rest.join(' ')]] : [];
        }),
    ),
    parameters: { ...Object.fromEntries(readMachineParameters(machine)), ...netns },
  };
}

/** os-release(5). */
function distribution(): string | null {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? null;
  } catch {
    return null;
  }
}
