import type { SocketFds } from '../../model/process.ts';
import { codeAt, describeFrame } from './code.ts';
import { walkObjects } from './collector.ts';
import * as gaps from './gaps.ts';
import type { Type } from './heap.ts';
import type { Look } from './look.ts';
import { readReferrers } from './referrers.ts';
import { type FoundSocket, kindOf, readSockets } from './sockets.ts';
import { isKnownTask, isTask, readTask } from './tasks.ts';
import { interpreters } from './threads.ts';
import { unlessTorn } from './torn.ts';

const MOST_OBJECTS = 5_000_000;
const MOST_WALK_MS = 10_000;
const MOST_SOCKETS = 100_000;
const MOST_TASKS = 5000;
const MOST_REFERRED = 50;
const MOST_REFERRERS_VISITED = 200_000;
const MOST_REFERRERS_MS = 1500;

/**
 * Socket objects and tasks: everything that the collectors of all interpreters know is looked at once. `foreign` are libraries
 * that make connections without such objects.
 */
export function readObjects(look: Look, foreign: string[]): void {
  const { heap, inside } = look;
  const { sockets, tasks, greenlets, unknownTasks, complete } = collect(look);
  heap.memory.forget();
  const socketFds = fdsOf(look.subject.process.sockets);
  const found = readSockets(heap, [...sockets].slice(0, MOST_SOCKETS), (fd) => socketFds.has(fd));
  inside.objects = found.map(({ object }) => object);
  inside.objectsComplete = complete && sockets.size <= MOST_SOCKETS && foreign.length === 0;
  if (foreign.length > 0) inside.gaps.push(gaps.foreignConnections(foreign));
  if (unknownTasks) inside.gaps.push(gaps.tasksUnknown(look.version));
  if (greenlets > 0) inside.gaps.push(gaps.greenletsUnread(greenlets));
  readTasks(look, [...tasks]);
  refer(look, found);
}

const fdsOf = (sockets: SocketFds | undefined): Set<number> =>
  new Set(sockets && [...sockets.keys()].flatMap((inode) => sockets.get(inode) ?? []));

type Collected = {
  sockets: Set<number>;
  tasks: Set<number>;
  greenlets: number;
  unknownTasks: boolean;
  complete: boolean;
};

function collect(look: Look): Collected {
  const { heap, inside, subject } = look;
  const greenlets = new Set<number>();
  const found = { sockets: new Set<number>(), tasks: new Set<number>(), unknownTasks: false, complete: true };
  const sorts = new Map<Type, Sort>();
  const visit = (object: number, type: Type): void => {
    let sort = sorts.get(type);
    if (sort === undefined) {
      sort = sortOf(look, type);
      sorts.set(type, sort);
    }
    if (sort === 'other') return;
    if (sort === 'socket') found.sockets.add(object);
    else if (sort === 'task') found.tasks.add(object);
    else if (sort === 'greenlet') greenlets.add(object);
    else found.unknownTasks = true;
  };
  const bounds = { objects: MOST_OBJECTS, until: performance.now() + MOST_WALK_MS, now: () => performance.now() };
  for (const collector of collectors(look)) {
    const walk = walkObjects(heap, collector, { ...bounds, signal: subject.signal }, visit);
    if (walk.complete) continue;
    found.complete = false;
    inside.gaps.push(gaps.objectsCut(walk.objects, walk.reason ?? 'changing'));
  }
  return { ...found, greenlets: greenlets.size };
}

type Sort = 'socket' | 'task' | 'unknown task' | 'greenlet' | 'other';

function sortOf({ heap }: Look, type: Type): Sort {
  if (kindOf(type)) return 'socket';
  if (isTask(type)) return isKnownTask(heap, type) ? 'task' : 'unknown task';
  return [type.name, ...type.bases].includes('greenlet.greenlet') ? 'greenlet' : 'other';
}

/** Until 3.8 all interpreters share one collector. */
function collectors({ heap, runtime }: Look): number[] {
  const { layout } = heap;
  if (layout.runtime.gc !== undefined) return [runtime + layout.runtime.gc];
  return interpreters(heap, runtime).map((interpreter) => interpreter + (layout.interpreter.gc ?? 0));
}

function readTasks({ heap, codes, strands, frames, inside }: Look, tasks: number[]): void {
  let left = Math.max(0, tasks.length - MOST_TASKS);
  for (const address of tasks.slice(0, MOST_TASKS)) {
    const task = readTask(heap, codes, address);
    if (task === 'done') continue;
    if (task === undefined) left++;
    else {
      strands.push(task.strand);
      frames.push(...task.frames);
    }
  }
  if (left > 0) inside.gaps.push(gaps.tasksCut(left));
}

/** By what the program refers to the sockets that are stuck. */
function refer({ subject, heap, runtime, codes, frames }: Look, found: FoundSocket[]): void {
  const { sockets, process } = subject;
  const stuck = new Set(
    sockets.flatMap(({ state, inode }) =>
      state === 'CLOSE_WAIT' && inode !== undefined ? (process.sockets?.get(inode) ?? []) : [],
    ),
  );
  const targets = found.filter(({ object }) => stuck.has(object.fd)).slice(0, MOST_REFERRED);
  heap.memory.forget();
  const live = frames.flatMap((frame) => {
    const code = unlessTorn(() => codeAt(heap, codes, frame.code));
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
