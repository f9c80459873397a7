import type { Library, Runtime } from '../model/process.ts';
import { recogniseLibraries } from '../parse/libraries.ts';
import { attempt } from './attempt.ts';
import { type FdTable, type Machine, readText } from './machine.ts';
import { inodesByFd } from './socket-fds.ts';

/** What is read at most in one report to recognise libraries: links of descriptors, and memory maps (1 ms each). */
export class LibraryBudget {
  links = 2000;
  maps = 20;
}

/** A JVM opens the files of its class path early, so their descriptors have low numbers ... */
const MOST_FD = 1024;
/** ... with few free ones between. */
const MOST_FREE = 64;

export type Program = { pid: number; exe?: string; name: string; argv: string[]; runtime?: Runtime };

/** Reads what tells the libraries of a process: the jars that a JVM has open, the compiled modules of a Python. */
export function readLibraries(
  machine: Machine,
  { pid, runtime, ...program }: Program,
  table: FdTable | undefined,
  budget: LibraryBudget,
): Library[] {
  const openFiles = runtime === 'java' && table ? filesOf(machine, pid, table, budget) : [];
  const maps =
    runtime === 'python' && budget.maps-- > 0 ? attempt(() => readText(machine, `/proc/${pid}/maps`)) : undefined;
  return recogniseLibraries({ ...program, openFiles, ...(maps !== undefined && { maps }) });
}

/** Where the descriptors lead that are no sockets. */
function filesOf(machine: Machine, pid: number, { count, sockets }: FdTable, budget: LibraryBudget): string[] {
  const taken = inodesByFd(sockets);
  const files: string[] = [];
  let left = (count ?? Number.POSITIVE_INFINITY) - taken.size;
  let free = 0;
  for (let fd = 0; fd < MOST_FD && left > 0 && free < MOST_FREE && budget.links > 0; fd++) {
    if (taken.has(fd)) continue;
    budget.links--;
    const target = attempt(() => machine.link(`/proc/${pid}/fd/${fd}`));
    free = target === undefined ? free + 1 : 0;
    if (target === undefined) continue;
    left--;
    files.push(target);
  }
  return files;
}
