import { closeSync, existsSync, fsyncSync, linkSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { PARAMETERS } from '../diagnose/tune/parameters.ts';
import type { NetnsIdentity } from '../kernel/change-parameter.ts';
import type { NetNsEntry } from '../kernel/machine.ts';
import { SystemError, UnclosedError } from '../model/errors.ts';
import type { LogEntry } from '../model/log.ts';
import type { Change } from '../model/tune.ts';
import { type ActionLog, bootId } from './state.ts';

/** What one change came to. */
export type Outcome = Pick<Change, 'name' | 'before' | 'after'> & { done: boolean; now?: string; why?: string };

export function outcomeOf(change: Pick<Change, 'name' | 'before' | 'after'>, act: () => string): Outcome {
  const { name, before, after } = change;
  try {
    const now = act();
    if (now === after) return { name, before, after, done: true, now };
    return { name, before, after, done: false, now, why: `the kernel made ${now} of it` };
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return { name, before, after, done: false, why: whyNot(error) };
  }
}

function whyNot({ code, call, message }: SystemError): string {
  if (code === 'ESTALE') return `${call}: somebody has changed it meanwhile`;
  if (code === 'EROFS') return '/proc/sys is mounted read-only here, as in most containers: change it on the host';
  if (code === 'EACCES' || code === 'EPERM') return `${message}: run as root`;
  if (code === 'EINVAL') return 'the kernel does not take this value';
  return message;
}

type Step = Pick<Change, 'name' | 'before' | 'after'>;

/** A file for sysctl.d(5), written beside the change so that it outlives a restart of the machine. */
export type DropIn = { path: string; content: string };

/** What was changed, in a form that can be taken back. Written to the log before the first change. */
type Deed = { netns: NetnsIdentity; steps: Step[]; dropIn?: DropIn; undoes?: string };

/** Writes the deed down, does it step by step, and writes down what came of it. */
export async function change(
  log: ActionLog,
  entry: NetNsEntry,
  { steps, dropIn, undoes, netns }: { steps: Step[]; dropIn?: DropIn; undoes?: string; netns?: NetnsIdentity },
): Promise<Outcome[]> {
  const { changeParameter, identifyNetns } = await import('../kernel/change-parameter.ts');
  const identity = netns ?? identifyNetns(entry);
  const deed: Deed = { netns: identity, steps, ...(dropIn && { dropIn }), ...(undoes !== undefined && { undoes }) };
  log.append('begin', deed);
  const outcomes = steps.map((step) => outcomeOf(step, () => changeParameter(entry, identity, step)));
  if (dropIn && outcomes.every(({ done }) => done)) outcomes.push(fileOutcome(dropIn, undoes !== undefined));
  log.append('end', { outcomes });
  return outcomes;
}

/** Writes the file, or with `undo` takes it away again, if nobody has changed it. */
function fileOutcome({ path, content }: DropIn, undo: boolean): Outcome {
  try {
    if (!undo) {
      writeWhole(path, content);
      return { name: path, before: 'none', after: 'written', done: true };
    }
    return { name: path, before: 'written', after: removeOurs(path, content) ? 'removed' : 'left alone', done: true };
  } catch (error) {
    return { name: path, before: '', after: '', done: false, why: (error as Error).message };
  }
}

/** All of it under its name, or nothing. A file that is there already is somebody's, and stays. */
function writeWhole(path: string, content: string): void {
  const draft = `${path}.${process.pid}.new`;
  const fd = openSync(draft, 'wx', 0o644);
  try {
    writeSync(fd, content);
    fsyncSync(fd);
    linkSync(draft, path);
  } finally {
    closeSync(fd);
    unlinkSync(draft);
  }
}

/** False when it is not there, or holds something else than was written. */
function removeOurs(path: string, content: string): boolean {
  if (!existsSync(path) || readFileSync(path, 'utf8') !== content) return false;
  unlinkSync(path);
  return true;
}

/** A deed that can be taken back, and whether anything of it still stands. */
export type Undoable = { run: string; at: string; deed: Deed };

/**
 * The last change in this very namespace, since this start of the machine, that was not taken back. Undefined when there
 * is none.
 */
export async function lastDeed(log: ActionLog, entry: NetNsEntry): Promise<Undoable | undefined> {
  const { identifyNetns } = await import('../kernel/change-parameter.ts');
  const { id, cookie } = identifyNetns(entry);
  const entries = log.entries().filter(({ command, boot }) => command === 'tune' && boot === bootId());
  const undone = new Set(entries.flatMap((entry) => undoneBy(entry, entries) ?? []));
  const deeds = entries.filter(({ event, run, what }) => event === 'begin' && !('undoes' in what) && !undone.has(run));
  const candidates = deeds.map((it) => ({ run: it.run, at: it.at, deed: deedOf(it) }));
  return candidates.findLast(({ deed: { netns } }) => netns.id === id && netns.cookie === cookie);
}

/** The run that this line has taken back wholly. */
function undoneBy({ event, run, what }: LogEntry, entries: LogEntry[]): string | undefined {
  if (event !== 'begin' || typeof what.undoes !== 'string') return undefined;
  const end = entries.find((it) => it.run === run && it.event === 'end');
  const outcomes = end?.what.outcomes;
  return Array.isArray(outcomes) && outcomes.every(({ done }) => done === true) ? what.undoes : undefined;
}

/** The log is this user's own file; still, nothing that is not a deed is acted on. */
function deedOf({ what }: LogEntry): Deed {
  const { netns, steps, dropIn } = what as Partial<Deed>;
  const isStep = (it: unknown): it is Step =>
    typeof it === 'object' &&
    it !== null &&
    ['name', 'before', 'after'].every((key) => typeof (it as Step)[key as keyof Step] === 'string') &&
    PARAMETERS.some(({ name }) => name === (it as Step).name);
  if (!netns || typeof netns.id !== 'number' || !Array.isArray(steps) || !steps.every(isStep))
    throw new UnclosedError(
      'STATE_UNREADABLE',
      'the last change in the log is not understood',
      'see unclosed tune --log',
    );
  return { netns, steps, ...(dropIn && { dropIn }) };
}

/** The way back: what still has the value that was set. */
export function stepsBack({ deed: { steps } }: Undoable, values: ReadonlyMap<string, string>): UndoPlan {
  const plan: UndoPlan = { steps: [], asBefore: [], changedSince: [] };
  for (const { name, before, after } of steps.toReversed()) {
    const now = values.get(name);
    if (now === after) plan.steps.push({ name, before: after, after: before });
    else if (now === before) plan.asBefore.push(name);
    else
      plan.changedSince.push({
        name,
        why: `it is ${now ?? 'not there'} now, no longer ${after}: somebody else has set it`,
      });
  }
  return plan;
}

export type UndoPlan = { steps: Step[]; asBefore: string[]; changedSince: { name: string; why: string }[] };
