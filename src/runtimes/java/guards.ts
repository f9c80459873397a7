import { constants } from 'node:os';
import { attempt } from '../../kernel/attempt.ts';
import { readText } from '../../kernel/machine.ts';
import { disablesAttach } from '../../parse/java/attach-options.ts';
import { parseJvmMaps } from '../../parse/java/jvm-maps.ts';
import { parseCmdline, parseStatus } from '../../parse/proc-pid.ts';
import { parseCaughtSignals } from '../../parse/signals.ts';
import { type Standstill, standsStill } from '../standing.ts';
import type { Subject } from '../subject.ts';
import { type Jvm, perfText, readPerfData } from './jvm.ts';
import { failed, refused } from './trouble.ts';

/**
 * Throws unless the JVM can answer: one that is stopped takes the question and answers when it runs on, and one that does
 * not want to be asked says so on its own output.
 */
export function requireAnswering({ machine, process }: Subject, jvm: Jvm): void {
  const { pid, startTicks } = jvm;
  requireMoving(process.frozen ? 'frozen' : standsStill(machine, pid, startTicks), pid);
  const disabled = attachDisabled(machine, jvm);
  if (disabled === true)
    throw refused(
      `pid ${pid} runs with -XX:+DisableAttachMechanism`,
      'ask its owner: without that option it can be looked into',
    );
  if (disabled === undefined)
    throw refused(
      `whether pid ${pid} allows to be asked is not known: it has no hsperfdata file, and options that stand in files`,
      'jcmd would try; if it is not allowed, a thread dump lands in its output',
    );
}

function requireMoving(still: Standstill | undefined, pid: number): void {
  switch (still) {
    case 'ended':
      throw failed(`pid ${pid} has ended`, 'look at the process that came after it');
    case 'stopped':
      throw refused(`pid ${pid} is stopped by a signal`, `let it run on first: kill -CONT ${pid}`);
    case 'traced':
      throw refused(`pid ${pid} is held by a debugger`, 'look again when the debugger has let go');
    case 'frozen':
      throw refused(`pid ${pid} is frozen by its cgroup`, 'let it run on first, as `docker unpause` does');
  }
}

function attachDisabled(machine: Subject['machine'], jvm: Jvm): boolean | undefined {
  // The first of the capabilities is "can be attached to" (jvmCapabilities in src/hotspot/share/runtime/... statSampler.cpp).
  const capabilities = perfText(readPerfData(jvm), 'sun.rt.jvmCapabilities');
  if (capabilities !== undefined) return !capabilities.startsWith('1');
  const words = (file: string): string[] => parseCmdline(machine.read(`/proc/${jvm.pid}/${file}`));
  return disablesAttach(words('cmdline'), attempt(() => words('environ')) ?? []);
}

/** Throws unless SIGQUIT is harmless: without a handler it kills, and what is no HotSpot has its own. */
export function requireQuitHandler({ machine }: Subject, { pid }: Jvm): void {
  const path = `/proc/${pid}/status`;
  const text = readText(machine, path);
  if (!parseCaughtSignals(text, path).has(constants.signals.SIGQUIT))
    throw refused(
      `pid ${pid} has no handler for SIGQUIT, as with -Xrs or right after its start`,
      'look again in a moment; with -Xrs start it with -XX:+StartAttachListener',
    );
  if (parseStatus(text, path).state === 'stopped') throw refused(`pid ${pid} is stopped`, `kill -CONT ${pid}`);
  if (parseJvmMaps(readText(machine, `/proc/${pid}/maps`)).kind !== 'hotspot')
    throw failed(`pid ${pid} is no JVM any more`, 'look at the process that came after it');
}
