import { readFileSync } from 'node:fs';
import type { Cause } from '../src/model/finding.ts';

/** What a program really does; `none` is a healthy one. */
export type Truth = {
  cause: Exclude<Cause, 'unknown'> | 'none';
  /** Why the kernel cannot tell it: then `unknown` is right too. */
  undecidable?: string;
  /** Further causes that are true of its processes, as of workers that are stuck behind a full accept queue. */
  also?: Cause[];
  /** Absent where the number is never the same. */
  sockets?: number;
  direction?: 'inbound' | 'outbound';
  /** Who holds them: the program started, a child or worker of it, or nobody yet. */
  holder: 'program' | 'child' | 'worker' | 'nobody';
  /** Against the default limits; `any` where the sockets' short life decides (arrivals in seconds, not hours). */
  severity: 'ok' | 'above' | 'any';
};

/** An entry of workloads/eval.json. play.py reads the rest of it. */
export type Workload = { name: string; about: string; runtime: string; needs: string[]; run: string[]; truth: Truth };

/** What play.py says when the state stands. */
export type Ready = {
  /** The process that the verdict is about. */
  pid: number;
  /** All of the program's processes. */
  pids: number[];
};

export const readWorkloads = (): Workload[] =>
  JSON.parse(readFileSync(new URL('../workloads/eval.json', import.meta.url), 'utf8'));
