import { formatIpv6 } from '../address.ts';

/** An address as java.net.InetAddress writes it, in the form that sockets have here: `0:0:0:0:0:0:0:1%lo` is `::1`. */
export function parseAddressText(text: string): string {
  const groups = text.replace(/%.*$/s, '').split(':');
  if (groups.length !== 8 || !groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return text;
  const bytes = groups.flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
  return formatIpv6(Uint8Array.from(bytes));
}
