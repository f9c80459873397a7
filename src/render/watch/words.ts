import type { Flow } from '../../model/watch.ts';

// How the watch says numbers where there is little room.

/** At most four characters: 999, 1.2k, 40k, 1.2M. */
export function shortNumber(value: number): string {
  const rounded = Math.round(value);
  if (rounded < 1000) return String(rounded);
  const [unit, size] = rounded < 999_500 ? ['k', 1000] : ['M', 1_000_000];
  const scaled = rounded / Number(size);
  return `${scaled < 9.95 ? scaled.toFixed(1) : Math.round(scaled)}${unit}`;
}

/** At most five characters: 45s, 12m, 3h12m, 2d4h, 400d. */
export function shortDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 100) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 100) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return hours < 10 ? `${hours}h${String(minutes % 60).padStart(2, '0')}m`.slice(0, 5) : `${hours}h`;
  const days = Math.floor(hours / 24);
  return days < 10 && hours % 24 > 0 ? `${days}d${hours % 24}h`.slice(0, 5) : `${days}d`;
}

/** The time of day, with what the local clock is ahead of UTC. */
export function clock(at: number, utcOffsetMs: number): string {
  const seconds = Math.floor((at + utcOffsetMs) / 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  return [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60].map(two).join(':');
}

/** `+75 -3 a minute`; empty while there is no rate yet. */
export function flowText({ enteredPerMinute, leftPerMinute }: Flow): string {
  if (enteredPerMinute === undefined || leftPerMinute === undefined) return '';
  return `+${shortNumber(enteredPerMinute)} -${shortNumber(leftPerMinute)} a minute`;
}
