import type { Inside, Strand } from '../../model/inside.ts';
import type { Subject } from '../subject.ts';
import type { Codes, RawFrame } from './code.ts';
import type { Interpreter } from './interpreter.ts';

/** One look into an interpreter, and what it has found so far. */
export type Look = Interpreter & {
  subject: Subject;
  codes: Codes;
  /** Of all threads and tasks that are known to have stood still: where variables of the program are. */
  frames: RawFrame[];
  inside: Inside;
  strands: Strand[];
};
