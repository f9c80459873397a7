import type { Inside, StrandView } from './inside.ts';
import type { LogFindings } from './logs.ts';
import type { Process } from './process.ts';

/** One process that was looked into: what was seen, and its threads as a reader wants them. */
export type Inspection = { process: Process; inside: Inside; strands: StrandView[]; logs?: LogFindings };
