import type { Flow } from '../../model/watch.ts';

/** Rates are told over this time. */
const WINDOW_MS = 60_000;
/** From less time than this a rate per minute says more about chance than about the program. */
const SHORTEST_MS = 10_000;

type Interval = { at: number; ms: number; entered: number; left: number };

/** Entries and exits of the last minute, interval by interval, the newest last. */
export type FlowWindow = readonly Interval[];

/** The window with one more interval, and without those that are too old. */
export function addInterval(window: FlowWindow, interval: Interval): FlowWindow {
  const since = interval.at - WINDOW_MS;
  return [...window.filter(({ at }) => at > since), interval];
}

export function flowOf(window: FlowWindow): Flow {
  const last = window.at(-1);
  const { entered = 0, left = 0 } = last ?? {};
  let watchedMs = 0;
  let allEntered = 0;
  let allLeft = 0;
  for (const interval of window) {
    watchedMs += interval.ms;
    allEntered += interval.entered;
    allLeft += interval.left;
  }
  if (watchedMs < SHORTEST_MS) return { entered, left };
  const perMinute = (count: number): number => (count * 60_000) / watchedMs;
  return { entered, left, enteredPerMinute: perMinute(allEntered), leftPerMinute: perMinute(allLeft) };
}
