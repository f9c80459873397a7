import { attempt } from '../../kernel/attempt.ts';
import type { Inside } from '../../model/inside.ts';
import type { SocketFds } from '../../model/process.ts';
import type { Subject } from '../subject.ts';
import { type Codes, codeAt, describeFrame, type RawFrame } from './code.ts';
import { walkObjects } from './collector.ts';
import * as gaps from './gaps.ts';
import type { Type } from './heap.ts';
import type { Interpreter } from './interpreter.ts';
import { readReferrers } from './referrers.ts';
import { type FoundSocket, kindOf, readSockets } from './sockets.ts';
import { isKnownTask, isTask, readTask } from './tasks.ts';
import { interpreters } from './threads.ts';

const MOST_OBJECTS = 5_000_000;
const MOST_WALK_MS = 15_000;
const MOST_SOCKETS = 100_000;
const MOST_TASKS = 5000;
const MOST_REFERRED = 50;
const MOST_REFERRERS_VISITED = 200_000;
const MOST_REFERRERS_MS = 1500;

/**
 * Socket objects and tasks: everything that the collectors of all interpreters know is looked at once. `foreign` are libraries
 * that make connections without such objects.
 */
export function readObjects(
  subject: Subject,
  interpreter: Interpreter,
  codes: Codes,
  frames: RawFrame[],
  foreign: string[],
  inside: Inside,
): void {
  const { heap } = interpreter;
  const collected = collect(interpreter, subject.signal, inside);
  const { sockets, tasks, greenlets, unknownTasks } = collected;
  heap.memory.forget();
  const socketFds = new Set(subject.process.sockets ? fdsOf(subject.process.sockets) : []);
  const found = readSockets(heap, [...sockets].slice(0, MOST_SOCKETS), (fd) => socketFds.has(fd));
  if (unknownTasks) inside.gaps.push(gaps.tasksUnknown(interpreter.version));
  if (greenlets > 0) inside.gaps.push(gaps.greenletsUnread(greenlets));
  readTasks(interpreter, [...tasks], codes, frames, inside);
  refer(subject, interpreter, found, codes, frames);
  inside.objects = found.map(({ object }) => object);
  if (foreign.length > 0) inside.gaps.push(gaps.foreignConnections(foreign));
  inside.objectsComplete = collected.complete && sockets.size <= MOST_SOCKETS && foreign.length === 0;
}

const fdsOf = (sockets: SocketFds): number[] => [...sockets.keys()].flatMap((inode) => sockets.get(inode) ?? []);

type Collected = {
  sockets: Set<number>;
  tasks: Set<number>;
  greenlets: number;
  unknownTasks: boolean;
  complete: boolean;
};

function collect(interpreter: Interpreter, signal: AbortSignal, inside: Inside): Collected {
  const { heap } = interpreter;
  const greenlets = new Set<number>();
  const found = { sockets: new Set<number>(), tasks: new Set<number>(), unknownTasks: false, complete: true };
  const kinds = new Map<Type, 'socket' | 'task' | 'unknown task' | 'greenlet' | undefined>();
  const visit = (object: number, type: Type): void => {
    if (!kinds.has(type)) kinds.set(type, sortOf(interpreter, type));
    const kind = kinds.get(type);
    if (kind === undefined) return;
    if (kind === 'socket') found.sockets.add(object);
    else if (kind === 'task') found.tasks.add(object);
    else if (kind === 'greenlet') greenlets.add(object);
    else found.unknownTasks = true;
  };
  const bounds = { objects: MOST_OBJECTS, until: performance.now() + MOST_WALK_MS, now: () => performance.now() };
  for (const collector of collectors(interpreter)) {
    const walk = walkObjects(heap, collector, { ...bounds, signal }, visit);
    if (walk.complete) continue;
    found.complete = false;
    inside.gaps.push(gaps.objectsCut(walk.objects, walk.reason ?? 'changing'));
  }
  return { ...found, greenlets: greenlets.size };
}

function sortOf({ heap }: Interpreter, type: Type) {
  if (kindOf(type)) return 'socket';
  if (isTask(type)) return isKnownTask(heap, type) ? 'task' : 'unknown task';
  return [type.name, ...type.bases].includes('greenlet.greenlet') ? 'greenlet' : undefined;
}

/** Until 3.8 all interpreters share one collector. */
function collectors({ heap, runtime }: Interpreter): number[] {
  const { layout } = heap;
  if (layout.runtime.gc !== undefined) return [runtime + layout.runtime.gc];
  return interpreters(heap, runtime).map((interpreter) => interpreter + (layout.interpreter.gc ?? 0));
}

function readTasks({ heap }: Interpreter, tasks: number[], codes: Codes, frames: RawFrame[], inside: Inside): void {
  let left = Math.max(0, tasks.length - MOST_TASKS);
  for (const address of tasks.slice(0, MOST_TASKS)) {
    const task = readTask(heap, codes, address);
    if (task === 'done') continue;
    if (task === undefined) left++;
    else {
      inside.strands?.push(task.strand);
      frames.push(...task.frames);
    }
  }
  if (left > 0) inside.gaps.push(gaps.tasksCut(left));
}

/** By what the program refers to the sockets that are stuck. */
function refer(
  { sockets, process }: Subject,
  { heap, runtime }: Interpreter,
  found: FoundSocket[],
  codes: Codes,
  frames: RawFrame[],
): void {
  const stuck = new Set(
    sockets.flatMap(({ state, inode }) =>
      state === 'CLOSE_WAIT' && inode !== undefined ? (process.sockets?.get(inode) ?? []) : [],
    ),
  );
  const targets = found.filter(({ object }) => stuck.has(object.fd)).slice(0, MOST_REFERRED);
  heap.memory.forget();
  const live = frames.flatMap((frame) => {
    const code = attempt(() => codeAt(heap, codes, frame.code));
    if (!code) return [];
    const { line } = describeFrame(code, frame, heap.layout);
    return [{ frame, code, ...(line !== undefined && { line }) }];
  });
  const now = () => performance.now();
  const limits = { objects: MOST_REFERRERS_VISITED, until: now() + MOST_REFERRERS_MS, now };
  const addresses = new Set(targets.map(({ address }) => address));
  const referrers = readReferrers(heap, addresses, live, interpreters(heap, runtime), limits);
  for (const { address, object } of targets) {
    const paths = referrers.get(address);
    if (paths) object.referredBy = paths;
  }
}
