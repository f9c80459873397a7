import type { Endpoint } from './socket.ts';

// How numbers are said to people, the same in evidence, reports and messages.

export const plural = (count: number, one: string, many: string = `${one}s`): string =>
  `${formatNumber(count)} ${count === 1 ? one : many}`;

/** 100000 as 100,000. */
export const formatNumber = (value: number): string => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');

/** IPv6 addresses in brackets, as in a URL. Ports of which a capture tells only a name have none here: `?`. */
export const formatEndpoint = ({ address, port }: Endpoint): string =>
  `${address.includes(':') ? `[${address}]` : address}:${port < 0 ? '?' : port}`;

export const formatShare = (share: number): string => `${Math.round(share * 100)} %`;

/** Two units at most: 3 h 12 min, 45 s, 2 d 4 h, 0.3 s. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 10_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.floor(milliseconds / 1000);
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return join(days, 'd', hours, 'h');
  if (hours > 0) return join(hours, 'h', minutes, 'min');
  return minutes > 0 ? join(minutes, 'min', seconds % 60, 's') : `${seconds} s`;
}

const join = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
