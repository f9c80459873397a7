import { isoTime } from './json.ts';

/** `2026-11-20 03:12:44 UTC`: logs of several machines and zones are compared by it. */
export const clockTime = (milliseconds: number): string =>
  `${isoTime(milliseconds / 1000)
    .replace('T', ' ')
    .replace(/\..*$/, '')} UTC`;
