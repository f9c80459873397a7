const MAPPED_PREFIX = '00000000000000000000ffff';

/** Text of an IPv4 address from four bytes in network order. */
export const formatIpv4 = (bytes: Uint8Array): string => `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;

/** Text of an IPv6 address from 16 bytes in network order, shortened as RFC 5952 asks; IPv4-mapped ones as IPv4. */
export function formatIpv6(bytes: Uint8Array): string {
  const hex = Array.from(bytes.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (hex.startsWith(MAPPED_PREFIX)) return formatIpv4(bytes.subarray(12, 16));
  const groups = Array.from({ length: 8 }, (_, i) => Number.parseInt(hex.slice(i * 4, i * 4 + 4), 16).toString(16));
  const gap = longestZeros(groups);
  if (gap.length < 2) return groups.join(':');
  return `${groups.slice(0, gap.start).join(':')}::${groups.slice(gap.start + gap.length).join(':')}`;
}

function longestZeros(groups: string[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === '0') length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

/**
 * Gives the text of addresses and keeps it: a leak has many sockets and few addresses, and text is dear.
 * Bounded, because inbound peers may be many.
 */
export class AddressCache {
  readonly #v4 = new Map<number, string>();
  readonly #v6 = new Map<string, string>();

  v4(bytes: Uint8Array, offset: number): string {
    const key =
      ((bytes[offset] ?? 0) << 24) |
      ((bytes[offset + 1] ?? 0) << 16) |
      ((bytes[offset + 2] ?? 0) << 8) |
      (bytes[offset + 3] ?? 0);
    return remember(this.#v4, key, () => formatIpv4(bytes.subarray(offset, offset + 4)));
  }

  v6(bytes: Uint8Array, offset: number): string {
    const raw = bytes.subarray(offset, offset + 16);
    return remember(this.#v6, String.fromCharCode(...raw), () => formatIpv6(raw));
  }
}

const MOST_ADDRESSES = 65_536;

function remember<K>(cache: Map<K, string>, key: K, make: () => string): string {
  const known = cache.get(key);
  if (known !== undefined) return known;
  if (cache.size >= MOST_ADDRESSES) cache.clear();
  const text = make();
  cache.set(key, text);
  return text;
}
