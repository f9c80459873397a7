import type { Case, Cause, Confidence, Evidence } from '../model/finding.ts';
import type { Listener } from '../model/socket.ts';

/** What the rules say of a case. */
export type Judged = { cause: Cause; confidence: Confidence; evidence: Evidence[] };
export type Judge = (subject: Case) => Judged;
export type JudgedCase = { subject: Case; judged: Judged };

/** How a connection came about: it came in, by this listener unless that is gone, or this side opened it. */
export type Way = { inbound: boolean; listener: Listener | undefined };
