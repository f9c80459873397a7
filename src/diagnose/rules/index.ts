import type { Rule } from '../../model/finding.ts';
import { acceptBacklog } from './accept-backlog.ts';
import { churn } from './churn.ts';
import { closedButHeld } from './closed-but-held.ts';
import { stalled } from './stalled.ts';

/**
 * What the tool knows, in the order in which it is asked: the first cause that says yes is the one that is told.
 * What none of them explains stays `unknown`.
 */
export const RULES: readonly Rule[] = [closedButHeld, churn, acceptBacklog, stalled];
