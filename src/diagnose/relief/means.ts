import type { Finding } from '../../model/finding.ts';
import type { Circumstances } from '../../model/relief.ts';

// What is at hand: how near the limit of descriptors is, how far it can be raised, who would be told of an end.

/** So much of the limit in use, or full within a day, is worth acting on. */
const SCARCE_SHARE = 0.8;
const SCARCE_MS = 24 * 3600_000;

export function areDescriptorsScarce({ fds }: Finding): boolean {
  if (fds?.limit === undefined) return false;
  return fds.open >= SCARCE_SHARE * fds.limit || (fds.fullInMs ?? Number.POSITIVE_INFINITY) < SCARCE_MS;
}

/** At least this many more. */
const ROOM = 1024;

/**
 * The limit to set: twice the present one, or what was asked for, but no more than is allowed: the hard limit, or with
 * CAP_SYS_RESOURCE fs.nr_open. Undefined when it is not known, or cannot be raised.
 */
export function raisedLimit(
  { subject: { process } }: Finding,
  { uid, mayRaiseAny, mostFds, fdLimit }: Circumstances,
): { from: number; to: number } | undefined {
  const { fdLimit: from, fdHardLimit: hard, openFds = 0 } = process ?? {};
  if (from === undefined || !Number.isFinite(from)) return undefined;
  if (!mayRaiseAny && (uid === undefined || process?.uid !== uid)) return undefined;
  const most = mayRaiseAny ? Math.max(hard ?? 0, mostFds ?? 0) : hard;
  if (most === undefined || most <= 0) return undefined;
  const wanted = fdLimit ?? Math.max(2 * from, openFds + ROOM);
  const to = Math.min(wanted, most, mostFds ?? most);
  return to > from && (fdLimit === undefined || to === fdLimit) ? { from, to } : undefined;
}

/** select(2) takes no descriptor above 1023 (FD_SETSIZE): the memory behind its sets would be overwritten. */
export const usesSelect = ({ subject: { process } }: Finding): boolean =>
  process?.threadList?.some(({ wait }) => wait?.call === 'select' || wait?.call === 'pselect6') === true;

export const canRaise = (finding: Finding, circumstances: Circumstances): boolean =>
  raisedLimit(finding, circumstances) !== undefined && !usesSelect(finding);

/**
 * Whether the program learns of an end that is made from outside: an event loop has the sockets in a set (whatever it asked
 * for, it is told of a hang-up), or a thread waits on them.
 */
export function isTold({ subject: { traits, sockets } }: Finding): boolean {
  if (traits?.interest !== undefined && traits.interest !== 'none') return true;
  return sockets.length > 0 && sockets.every(({ inEpoll, awaited }) => inEpoll === true || awaited === true);
}
