import type { Endpoint } from '../../model/socket.ts';

/** An end as a line names it; `any` stands for every address (`*`), of which the family is not always known. */
export type CapturedEnd = Endpoint & { family?: 4 | 6; any: boolean };

/**
 * Numbers of ports that a capture calls by name. A name that is not known here gets a number below 0, the same for each
 * occurrence, so that it stays one port and is never taken for another.
 */
export class PortNames {
  readonly #numbers = new Map<string, number>();
  /** Names that got a number below 0. */
  readonly unknown = new Map<number, string>();

  constructor(services: ReadonlyMap<number, string>) {
    for (const [port, name] of services) if (!this.#numbers.has(name)) this.#numbers.set(name, port);
  }

  numberOf(text: string): number | undefined {
    if (/^[0-9]{1,5}$/.test(text)) {
      const port = Number(text);
      return port <= 65_535 ? port : undefined;
    }
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    if (!SERVICE_NAME.test(text) || this.unknown.size >= MOST_NAMES) return undefined;
    const made = -1 - this.unknown.size;
    this.#numbers.set(text, made);
    this.unknown.set(made, text);
    return made;
  }
}

// At least one letter, no dot: `2001:db8::aa.443` of BSD has no port named `aa.443`.
const SERVICE_NAME = /^(?=[^a-zA-Z]*[a-zA-Z])[a-zA-Z0-9][\w+/-]{0,62}$/;

/** IANA has about 6,000 names of TCP ports; more than that is no capture. */
const MOST_NAMES = 20_000;

/** `10.0.0.1:80`, `[::1]:80`, `::1:80`, `*:http`, `[fe80::1]%eth0:22`, `0.0.0.0:*`; BSD writes a dot before the port. */
export function parseEnd(text: string, separator: ':' | '.', ports: PortNames): CapturedEnd | undefined {
  const at = text.lastIndexOf(separator);
  if (at < 0 || text.length > LONGEST_END) return undefined;
  const port = text.slice(at + 1);
  const number = port === '*' ? 0 : ports.numberOf(port);
  if (number === undefined) return undefined;
  const address = parseAddress(text.slice(0, at));
  return address && { ...address, port: number };
}

/** A host name has 253 characters at most (RFC 1035). */
const LONGEST_END = 320;

type Address = Omit<CapturedEnd, 'port'>;

const known = new Map<string, Address | undefined>();
const MOST_KNOWN = 65_536;

function parseAddress(text: string): Address | undefined {
  if (known.has(text)) return known.get(text);
  if (known.size >= MOST_KNOWN) known.clear();
  const address = readAddress(text);
  known.set(text, address);
  return address;
}

function readAddress(text: string): Address | undefined {
  if (text === '*' || text === '') return { address: '0.0.0.0', any: true };
  const bare = text.replace(/%[\w.@-]+/, '').replace(/^\[(.*)\]$/, '$1');
  if (/^[0-9]{1,3}(?:\.[0-9]{1,3}){3}$/.test(bare)) return { address: bare, family: 4, any: bare === '0.0.0.0' };
  if (bare.includes(':')) {
    if (!/^[0-9a-fA-F:.]+$/.test(bare)) return undefined;
    const mapped = /^::ffff:([0-9]{1,3}(?:\.[0-9]{1,3}){3})$/i.exec(bare)?.[1];
    // `:::80` is the port 80 of `::`.
    const address = mapped ?? bare.toLowerCase().replace(/^:+$/, '::');
    return { address, family: 6, any: address === '::' };
  }
  return /^[\w][\w.-]*$/.test(bare) ? { address: bare, any: false } : undefined;
}

/** Local and remote end of a row, put into its fields; nothing when one of them is no end. */
export function endsOf(
  localText: string,
  peerText: string,
  separator: ':' | '.',
  ports: PortNames,
): { local: Endpoint; peer?: Endpoint; family?: 4 | 6 } | undefined {
  const local = parseEnd(localText, separator, ports);
  const peer = parseEnd(peerText, separator, ports);
  if (!local || !peer) return undefined;
  const family = local.family ?? peer.family;
  // `*:*`, `0.0.0.0:*` and on Windows `0.0.0.0:0` say that there is no other end.
  const hasPeer = !(peer.any && peer.port === 0);
  return {
    local: { address: local.any && family === 6 ? '::' : local.address, port: local.port },
    ...(hasPeer && { peer: { address: peer.address, port: peer.port } }),
    ...(family && { family }),
  };
}
