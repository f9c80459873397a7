import { factsOf, meaningOf } from '../diagnose/tune/meaning.ts';
import { judgeValue, PARAMETERS, type Present, parameterNamed } from '../diagnose/tune/parameters.ts';
import { timeoutsFor } from '../diagnose/tune/timeouts.ts';
import { type Machine, type NetNsEntry, OWN_NETNS, type ProcessEntry } from '../kernel/machine.ts';
import { listNetns, readMounts } from '../kernel/netns.ts';
import { UnclosedError } from '../model/errors.ts';
import type { Process } from '../model/process.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { TcpSocket } from '../model/socket.ts';
import type { Change, Setting, TunePage } from '../model/tune.ts';
import { captureFrom } from './capture.ts';
import { applyFilter, type Filter } from './filter.ts';
import { machineOf, type Where } from './look.ts';
import { filesOf, readMachineParameters, readNetnsParameters } from './parameters.ts';
import type { CaptureOptions } from './search.ts';

/** A page for each namespace concerned, with the way into it. */
export type Concerned = { page: TunePage; entry: NetNsEntry; present: Present };
export type TuneLook = { snapshot: Snapshot; concerned: Concerned[] };

/** Reads what is set, and what it means for the sockets of this machine. */
export async function lookAtParameters(options: Options & Where): Promise<TuneLook> {
  return parametersOf(await machineOf(options), options);
}

type Options = CaptureOptions & { filter?: Filter };

export function parametersOf(machine: Machine, options: Options): TuneLook {
  const { filter = {} } = options;
  const snapshot = applyFilter(captureFrom(machine, { ...options, young: true }), filter);
  const processes = machine.processes();
  const entries = listNetns(machine, processes, readMounts(machine));
  const machineValues = readMachineParameters(machine);
  const files = filesOf(machine, machineValues);
  const wanted = concernedNetns(snapshot, entries, processes, filter);
  const concerned = wanted.map((entry) => {
    const values = new Map([...machineValues, ...Object.entries(readNetnsParameters(machine, entry) ?? {})]);
    const present: Present = { values, ...(files && { openFiles: files.open }) };
    return { entry, present, page: pageOf(snapshot, entry, values, files) };
  });
  if (concerned.length === 0)
    throw new UnclosedError('NETNS_UNKNOWN', 'its network namespace could not be seen', 'run as root');
  return { snapshot, concerned };
}

/** The one that is named, or that the named processes are in; else our own and all with sockets in CLOSE_WAIT. */
function concernedNetns(
  snapshot: Snapshot,
  entries: NetNsEntry[],
  processes: ProcessEntry[],
  { netns, pids }: Filter,
): NetNsEntry[] {
  const stuck = new Set(closeWaitOf(snapshot).map((socket) => socket.netns));
  if (netns !== undefined) return entries.filter(({ id, name }) => name === netns || String(id) === netns);
  if (pids) {
    const theirs = new Set(processes.filter(({ pid }) => pids.includes(pid)).map((it) => it.netns));
    return entries.filter(({ id }) => theirs.has(id));
  }
  return entries.filter(({ id, paths }) => paths.includes(OWN_NETNS) || stuck.has(id));
}

const closeWaitOf = ({ sockets }: Snapshot, netns?: number): TcpSocket[] =>
  [...sockets].filter((it) => it.state === 'CLOSE_WAIT' && (netns === undefined || it.netns === netns));

function pageOf(
  snapshot: Snapshot,
  { id, name, paths }: NetNsEntry,
  values: ReadonlyMap<string, string>,
  files: { open: number; limit: number } | undefined,
): TunePage {
  const sockets = closeWaitOf(snapshot, id);
  const facts = factsOf(sockets, snapshot.listeners, files);
  const settings = PARAMETERS.map((parameter): Setting => {
    const value = values.get(parameter.name);
    return {
      name: parameter.name,
      scope: parameter.scope,
      ...(parameter.unit && { unit: parameter.unit }),
      ...(value !== undefined && { value }),
      ...meaningOf(parameter.name, facts),
    };
  });
  const holders = holdersOf(snapshot, sockets);
  return {
    netns: { id, ...(name !== undefined && { name }), own: paths.includes(OWN_NETNS) },
    closeWait: facts.closeWait,
    keepalive: facts.keepalive,
    settings,
    limits: holders.map(({ pid, name: called, openFds, fdLimit, fdHardLimit }) => ({
      pid,
      name: called,
      ...(openFds !== undefined && { open: openFds }),
      ...(fdLimit !== undefined && { soft: fdLimit }),
      ...(fdHardLimit !== undefined && { hard: fdHardLimit }),
    })),
    timeouts: timeoutsFor(holders),
  };
}

/** Those that hold most come first. */
function holdersOf({ processes }: Snapshot, sockets: TcpSocket[]): Process[] {
  const held = [...processes.values()].map((process) => ({
    process,
    count: sockets.filter(({ inode }) => inode !== undefined && process.sockets?.has(inode)).length,
  }));
  return held
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count || a.process.pid - b.process.pid)
    .map(({ process }) => process);
}

/** What shall be changed, and what was refused with the reason. */
export type TunePlan = { changes: Change[]; refused: { name: string; why: string }[]; unchanged: string[] };

/** Judges `NAME=VALUE` texts by what the kernel documents. */
export function planChanges(assignments: readonly string[], { page: { settings }, present }: Concerned): TunePlan {
  const plan: TunePlan = { changes: [], refused: [], unchanged: [] };
  for (const text of assignments) {
    const [, name = '', value = ''] = /^([a-z0-9_./]+) *= *(.+)$/.exec(text) ?? [];
    const parameter = parameterNamed(name.replaceAll('/', '.'));
    if (!parameter) {
      const known = PARAMETERS.map((it) => it.name.replace(/^.*\./, '')).join(', ');
      throw new UnclosedError('USAGE', `--apply ${text}: not NAME=VALUE of a parameter known here`, `known: ${known}`);
    }
    const setting = settings.find((it) => it.name === parameter.name);
    const judged = judgeValue(parameter, value, present);
    if (setting?.value === undefined) plan.refused.push({ name: parameter.name, why: 'it cannot be read here' });
    else if ('why' in judged) plan.refused.push({ name: parameter.name, why: judged.why });
    else if (plan.changes.some((it) => it.name === parameter.name))
      plan.refused.push({ name: parameter.name, why: 'it was given twice' });
    else if (judged.value === setting.value) plan.unchanged.push(parameter.name);
    else {
      const { scope, bearing, means } = setting;
      plan.changes.push({ name: parameter.name, scope, before: setting.value, after: judged.value, bearing, means });
    }
  }
  return plan;
}
