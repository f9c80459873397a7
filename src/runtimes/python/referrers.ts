import { MODULE } from '../../parse/python/layouts.ts';
import { originOf } from '../../parse/python/origin.ts';
import { type Code, localNames, type RawFrame } from './code.ts';
import { readFrame } from './frames.ts';
import { entries, find, type Heap, text, typeOf } from './heap.ts';
import { references } from './references.ts';
import { unlessTorn } from './torn.ts';

/** A way to an object, as one would write it in the program: `self.sessions[…]`, with the function that has its beginning. */
type Reached = { object: number; path: string; depth: number; where?: string };

export type LiveFrame = { frame: RawFrame; code: Code; line?: number };

export type Limits = { objects: number; until: number; now: () => number };

const MOST_DEPTH = 7;
const MOST_PATHS = 3;
const MOST_VARIABLES = 20_000;
const MOST_MODULES = 5000;
const MOST_LOCALS = 256;
const MOST_QUEUED = 2_000_000;
/** What the standard library has in its own functions tells less than what the program has three steps away. */
const HANDICAP = 3;

/**
 * By what the program refers to these objects: searched from where a program keeps things (variables of functions that run or
 * wait, and global variables of its modules), the nearest first. Only ways that were really gone; that an object has none
 * here says nothing.
 */
export function readReferrers(
  heap: Heap,
  targets: ReadonlySet<number>,
  frames: readonly LiveFrame[],
  interpreters: readonly number[],
  limits: Limits,
): Map<number, string[]> {
  const found = new Map<number, string[]>();
  if (targets.size === 0) return found;
  const roots = [
    ...frames.flatMap((frame) => unlessTorn(() => localsOf(heap, frame)) ?? []),
    ...interpreters.flatMap((interpreter) => unlessTorn(() => globalsOf(heap, interpreter)) ?? []),
  ];
  const levels: Reached[][] = [];
  for (const root of roots) at(levels, root.depth).push(root);
  search(heap, targets, levels, limits, found);
  return found;
}

function at(levels: Reached[][], depth: number): Reached[] {
  const level = levels[depth] ?? [];
  levels[depth] = level;
  return level;
}

/** Level by level, so that the shortest way comes first; ended one level behind that on which the last object was found. */
function search(
  heap: Heap,
  targets: ReadonlySet<number>,
  levels: Reached[][],
  limits: Limits,
  found: Map<number, string[]>,
): void {
  const seen = new Set<number>();
  let queued = 0;
  for (let depth = 0, last = MOST_DEPTH; depth <= last; depth++) {
    for (const [i, { object, path, where }] of at(levels, depth).entries()) {
      if (targets.has(object)) {
        take(found, object, written(path, where));
        continue;
      }
      if (depth === last || seen.has(object)) continue;
      if (seen.size >= limits.objects || queued >= MOST_QUEUED || (i % 256 === 0 && limits.now() > limits.until))
        return;
      seen.add(object);
      const next = at(levels, depth + 1);
      unlessTorn(() => {
        for (const { to, step } of references(heap, object)) {
          queued++;
          next.push({ object: to, path: path + step, depth: depth + 1, ...(where && { where }) });
        }
      });
    }
    levels[depth] = [];
    if (found.size === targets.size) last = Math.min(last, depth + 1);
  }
}

function take(found: Map<number, string[]>, object: number, path: string): void {
  const paths = found.get(object) ?? [];
  if (paths.length < MOST_PATHS && !paths.includes(path)) found.set(object, [...paths, path]);
}

function written(path: string, where: string | undefined): string {
  if (where === undefined) return path;
  return /^\w+$/.test(path) ? `local variable ${path} in ${where}` : `${path} in ${where}`;
}

/** The variables of a function that stands where it stood when its stack was read. */
function localsOf(heap: Heap, { frame, code, line }: LiveFrame): Reached[] {
  const { memory, layout } = heap;
  const now = readFrame(heap, frame.address);
  if (now.code !== frame.code || now.at !== frame.at) return [];
  const where = `${code.function} (${code.file.replace(/^.*\//s, '')}${line === undefined ? '' : `:${line}`})`;
  const depth = originOf(code.file) === 'runtime' ? HANDICAP : 0;
  const names = localNames(heap, frame.code).slice(0, MOST_LOCALS);
  return names.flatMap((path, i) => {
    const object = memory.u64(frame.address + layout.frame.locals + 8 * i);
    // Variables that the compiler made, as for comprehensions, begin with a dot.
    return object === 0 || path.startsWith('.') ? [] : [{ object, path, depth, where }];
  });
}

/** The global variables of all modules but those of the standard library; of libraries after the program's own. */
function globalsOf(heap: Heap, interpreter: number): Reached[] {
  const modules = heap.memory.u64(interpreter + heap.layout.interpreter.modules);
  const own: Reached[] = [];
  const others: Reached[] = [];
  for (const { key, value } of entries(heap, modules, MOST_MODULES)) {
    unlessTorn(() => {
      if (typeOf(heap, value).name !== 'module') return;
      const module = text(heap, key);
      const globals = heap.memory.u64(value + MODULE.dict);
      const origin = globals === 0 ? 'runtime' : originOfModule(heap, globals, module);
      if (origin === 'runtime') return;
      for (const { key: name, value: object } of entries(heap, globals, MOST_VARIABLES))
        (origin === 'application' ? own : others).push({ object, path: `${module}.${text(heap, name)}`, depth: 0 });
    });
  }
  return [...own, ...others];
}

function originOfModule(heap: Heap, globals: number, module: string): 'application' | 'library' | 'runtime' {
  if (module === '__main__') return 'application';
  const file = unlessTorn(() => find(heap, entries(heap, globals, 40), '__file__'));
  const name = file === undefined ? undefined : unlessTorn(() => text(heap, file));
  return name === undefined ? 'runtime' : originOf(name); // built in
}
