import { constants } from 'node:os';
import { attempt } from '../../kernel/attempt.ts';
import { type Machine, readText } from '../../kernel/machine.ts';
import { isDenied, isGone, ParseError, SystemError } from '../../model/errors.ts';
import type { Gap } from '../../model/snapshot.ts';
import type { Listener } from '../../model/socket.ts';
import { parseMaps } from '../../parse/memory-maps.ts';
import { type InspectorOptions, inspectorOptions, isInspectorPort, nodeOptionsIn } from '../../parse/node/options.ts';
import { parseCmdline } from '../../parse/proc-pid.ts';
import { parseCaughtSignals } from '../../parse/signals.ts';
import { standsStill } from '../standing.ts';
import { nodeImage, ownSignals, versionOf } from './binary.ts';
import { denied, failed, refused, unsupported } from './gaps.ts';
import { isTaken, Listening } from './listening.ts';

const { SIGUSR1 } = constants.signals;

/** What is known of a Node.js process without touching it. */
export type Look = {
  version?: string;
  options: InspectorOptions;
  /** Where it listens at a port of an inspector. */
  candidates: Listener[];
  /** Why SIGUSR1 must not be sent. One that is open already may be asked all the same. */
  refusal?: Gap;
};

/** Looks at a process, and decides whether its inspector may be opened. A gap alone: not even an open one may be asked. */
export function look(machine: Machine, pid: number): Look | Gap {
  try {
    return lookAt(machine, pid);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (isDenied(error)) return denied(error.message);
    if (isGone(error)) return ended(pid);
    return failed(error.message, 'it was not looked into', 'run again');
  }
}

function lookAt(machine: Machine, pid: number): Look | Gap {
  const exe = machine.link(`/proc/${pid}/exe`);
  const name = exe.replace(/ \(deleted\)$/, '');
  const image = nodeImage(parseMaps(readText(machine, `/proc/${pid}/maps`), `/proc/${pid}/maps`), exe);
  const isNode = /\/node(?:js)?(?:-?[0-9.]+)?$/.test(name) || image?.isExecutable === false;
  if (!image || !isNode)
    return unsupported(
      `${name} is no plain Node.js`,
      'programs that have Node.js inside (Electron, single executables) are not looked into',
    );
  const version = attempt(() => versionOf(pid, image));
  const still = stillness(machine, pid);
  if (still) return still;
  const options = readOptions(machine, pid);
  const { listeners, candidates } = readListeners(machine, pid, options);
  const refusal =
    signalRefusal(machine, pid, options) ??
    portRefusal(options, listeners) ??
    handlerRefusal(pid, () => ownSignals(pid, image));
  return { ...(version !== undefined && { version }), options, candidates, ...(refusal && { refusal }) };
}

function readListeners(
  machine: Machine,
  pid: number,
  options: InspectorOptions,
): { listeners: Listener[]; candidates: Listener[] } {
  const listening = new Listening(machine, pid);
  try {
    const listeners = listening.read();
    return {
      listeners,
      candidates: listening.held(listeners.filter(({ local }) => isInspectorPort(local.port, options))),
    };
  } finally {
    listening.close();
  }
}

/** A process that does not run answers nothing, and a signal would wait for the moment when it does. */
function stillness(machine: Machine, pid: number): Gap | undefined {
  switch (standsStill(machine, pid)) {
    case 'ended':
      return ended(pid);
    case 'stopped':
      return refused(`pid ${pid} is stopped (SIGSTOP)`, `kill -CONT ${pid}, and look again`);
    case 'traced':
      return refused(`pid ${pid} is held by a debugger`, 'end that debugger, and look again');
    case 'frozen':
      return refused(`the cgroup of pid ${pid} is frozen`, 'thaw it, and look again');
  }
  return undefined;
}

const ended = (pid: number): Gap =>
  failed(`pid ${pid} has ended`, 'nothing of it is known', 'look at the process that runs now');

function readOptions(machine: Machine, pid: number): InspectorOptions {
  const argv = parseCmdline(machine.read(`/proc/${pid}/cmdline`));
  return inspectorOptions(argv, nodeOptionsIn(readText(machine, `/proc/${pid}/environ`)));
}

/** Node.js catches SIGUSR1 from its first moments on; without its handler the signal would end the process. */
function signalRefusal(machine: Machine, pid: number, { signalOff }: InspectorOptions): Gap | undefined {
  const path = `/proc/${pid}/status`;
  if (parseCaughtSignals(readText(machine, path), path).has(SIGUSR1)) return undefined;
  return signalOff
    ? refused('it was started with --disable-sigusr1', 'start it without that option, or with --inspect')
    : refused(
        'it has no handler for SIGUSR1, and the signal could end it',
        'if it was just started, look again; with --permission, and in some builds, Node.js has no inspector',
      );
}

/** Node.js opens its inspector at one port, and says on its stderr when that is taken. */
function portRefusal({ atStart, port }: InspectorOptions, listeners: readonly Listener[]): Gap | undefined {
  if (atStart && port === 0)
    return refused(
      'its inspector is open at a port that the kernel chose, and nothing tells which',
      'start it with a port: --inspect=9229',
    );
  if (port === 0 || !isTaken(listeners, port)) return undefined;
  return refused(
    `port ${port} of loopback, at which its inspector would open, is taken by another process`,
    'end the debug session of the other process, or start this one with --inspect-port=0',
  );
}

function handlerRefusal(pid: number, read: () => Set<number> | undefined): Gap | undefined {
  const signals = readOrDenied(read);
  if (signals && 'code' in signals) return signals;
  if (signals?.has(SIGUSR1))
    return refused(
      'the program has a handler of its own for SIGUSR1, which would run instead of opening the inspector',
      'start it with --inspect, or without that handler',
    );
  if (signals) return undefined;
  return refused(
    'this build of Node.js does not tell whether the program has a handler of its own for SIGUSR1',
    `if it has none: kill -USR1 ${pid} opens the inspector, and --attach then uses it`,
  );
}

/** Undefined when the file that is mapped cannot be had any more, or is not understood. */
function readOrDenied<T>(read: () => T): T | Gap | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ParseError) return undefined;
    if (!(error instanceof SystemError)) throw error;
    if (isDenied(error)) return denied(error.message);
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
