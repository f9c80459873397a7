import {
  type Deed,
  isRestart,
  type Measure,
  type ReliefPlan,
  SOCKET_ACTIONS,
  type Verdict,
} from '../../model/relief.ts';
import { formatNumber, plural } from '../../model/words.ts';

/** What is true after an action, told from what was measured and not from what was meant. */
export function verdictOn(
  plan: ReliefPlan,
  deed: Deed,
  before: Measure,
  after: Measure,
  { socketsOnly, deadline }: { socketsOnly: boolean; deadline?: string },
): Verdict {
  if (isRestart(deed.action) && before.alive && !(after.alive && deed.failed)) return onRestart(deed, before, after);
  if (deed.failed !== undefined && (deed.acted?.length ?? 0) === 0) return failed(`not done: ${deed.failed}`);
  if (deed.action === 'keepalive') return onProbes(deed, after);
  if (SOCKET_ACTIONS.has(deed.action)) return onSockets(deed, after, socketsOnly, deadline);
  switch (deed.action) {
    case 'raise-fd-limit':
      return onLimit(plan, after);
    case 'resume':
    case 'thaw':
      return onRunning(deed, before, after);
    default:
      return onEnd(deed, before, after);
  }
}

const failed = (text: string): Verdict => ({ result: 'failed', text });

function onSockets(deed: Deed, after: Measure, socketsOnly: boolean, deadline: string | undefined): Verdict {
  const { acted = [], pid } = deed;
  if (acted.length === 0) return { result: 'nothing', text: 'no connection was left to act on' };
  if (!after.alive) return failed(`pid ${pid} has ended: it did not survive the end of its connections`);
  const { held } = after;
  const open = acted.filter((inode) => after.closeWait.has(inode)).length;
  const still = held === undefined ? undefined : acted.filter((inode) => held.has(inode)).length;
  const ended = `ended ${formatNumber(acted.length - open)} of ${plural(acted.length, 'connection')}`;
  if (still === undefined) return failed(`${ended}; whether descriptors were freed could not be read`);
  const freed = `${ended}, freed ${formatNumber(acted.length - still)} of ${plural(acted.length, 'descriptor')}`;
  const cut = deed.failed === undefined ? '' : `; broken off: ${deed.failed}`;
  const kept = still === 0 ? '' : `: the program still holds ${still === acted.length ? 'them' : formatNumber(still)}`;
  const restart =
    still === 0 ? '' : `; only its restart frees them${deadline === undefined ? '' : `, before ${deadline}`}`;
  const good = deed.failed === undefined && open === 0 && (socketsOnly || still === 0);
  return { result: good ? 'done' : 'failed', text: `${freed}${kept}${restart}${cut}` };
}

function onProbes({ acted = [], pid, failed: why }: Deed, after: Measure): Verdict {
  if (acted.length === 0) return { result: 'nothing', text: 'no connection was left to act on' };
  if (!after.alive) return failed(`pid ${pid} has ended meanwhile`);
  const there = acted.filter((inode) => after.closeWait.has(inode)).length;
  const gone = acted.length - there;
  const text = `probed the peers of ${plural(acted.length, 'connection')}: ${formatNumber(gone)} ended, for their peers are gone; ${formatNumber(there)} stay, for theirs answer. The program still holds what it does not close`;
  return {
    result: why === undefined ? 'done' : 'failed',
    text: why === undefined ? text : `${text}; broken off: ${why}`,
  };
}

function onLimit({ fdLimit, perHour }: ReliefPlan, { alive, fdLimit: now, openFds }: Measure): Verdict {
  if (!alive || now === undefined) return failed('its limit could not be read again');
  if (now !== fdLimit?.to) return failed(`its limit is ${formatNumber(now)}, not ${formatNumber(fdLimit?.to ?? 0)}`);
  const used = openFds === undefined ? '' : `, ${formatNumber(openFds)} are used`;
  const hours = openFds === undefined || !perHour ? undefined : (now - openFds) / perHour;
  const full = hours === undefined ? '' : `, full in ${inHours(hours)} at this rate`;
  return { result: 'done', text: `it may have ${plural(now, 'descriptor')} now${used}${full}: the leak goes on` };
}

const inHours = (hours: number): string => (hours < 48 ? `${Math.floor(hours)} h` : `${Math.floor(hours / 24)} d`);

function onRunning({ action, pid }: Deed, before: Measure, after: Measure): Verdict {
  if (!after.alive) return failed(`pid ${pid} has ended`);
  if (after.halted)
    return failed(`pid ${pid} still does not run: something ${action === 'thaw' ? 'freezes' : 'stops'} it again`);
  const left = [...before.closeWait].filter((inode) => after.closeWait.has(inode)).length;
  const closed = before.closeWait.size - left;
  return {
    result: 'done',
    text: `pid ${pid} runs again, and has closed ${formatNumber(closed)} of ${plural(before.closeWait.size, 'connection')} so far${left === 0 ? '' : `: look again in a while, ${formatNumber(left)} wait still`}`,
  };
}

function onEnd({ pid, failed: why }: Deed, before: Measure, after: Measure): Verdict {
  if (after.alive) return failed(why ?? `pid ${pid} has not ended`);
  return { result: 'done', text: `pid ${pid} has ended: ${freedBy(before)}; ${COMES_AGAIN}` };
}

/** A restart whose first half went well and whose second did not is an outage. */
function onRestart({ pid, failed: why, restarted }: Deed, before: Measure, after: Measure): Verdict {
  if (after.alive) return failed(`${restarted?.name ?? 'it'} was restarted, but pid ${pid} was left running`);
  const ended = `pid ${pid} has ended, ${freedBy(before)}`;
  const reason = why === undefined ? '' : `: ${why}`;
  if (!restarted) return failed(`${ended}; whether it was started again is not known${reason}`);
  const { name, runs, state, pid: next } = restarted;
  if (!runs) return failed(`${ended}; ${name} does not run again, it is ${state}${reason}`);
  const as = next === undefined ? state : `${state}, pid ${next}`;
  return why === undefined
    ? { result: 'done', text: `${ended}; ${name} runs again (${as}); ${COMES_AGAIN}` }
    : failed(`${ended}; ${name} runs (${as})${reason}`);
}

const freedBy = ({ openFds, closeWait }: Measure): string => `${plural(openFds ?? closeWait.size, 'descriptor')} freed`;

const COMES_AGAIN = 'the fault is in the program, and comes again with it';
