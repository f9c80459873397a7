import type { Rule } from '../../model/finding.ts';
import { acceptBacklog } from './accept-backlog.ts';
import { churn } from './churn.ts';
import { closedButHeld } from './closed-but-held.ts';
import { forgotten } from './forgotten.ts';
import { halfClose } from './half-close.ts';
import { inheritedFd } from './inherited-fd.ts';
import { missingClose } from './missing-close.ts';
import { notReading } from './not-reading.ts';
import { proxyLeg } from './proxy-leg.ts';
import { stalePool } from './stale-pool.ts';
import { stalled } from './stalled.ts';

/**
 * What the tool knows, in the order in which it is asked: the first cause that says yes is the one that is told.
 * What none of them explains stays `unknown`. What can be proven comes first, and last what is left when all else is not so.
 */
export const RULES: readonly Rule[] = [
  closedButHeld,
  churn,
  acceptBacklog,
  inheritedFd,
  stalled,
  halfClose,
  proxyLeg,
  notReading,
  stalePool,
  forgotten,
  missingClose,
];
