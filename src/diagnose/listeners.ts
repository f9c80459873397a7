import type { Endpoint, Listener } from '../model/socket.ts';
import type { LocalEnd } from '../model/socket-table.ts';

export const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/**
 * The listener that a connection came in by: same namespace, family and local port, its address the same or any. An
 * IPv4 client of a dual-stack listener makes an IPv6 socket with a mapped address, so the families always agree.
 * With SO_REUSEPORT there may be several; the one whose accept queue is longest is the one that does not accept.
 */
export function matchListener(socket: LocalEnd, listeners: Listener[]): Listener | undefined {
  let best: Listener | undefined;
  for (const listener of listeners) {
    if (listener.local.port !== socket.local.port || listener.netns !== socket.netns) continue;
    if (listener.family !== socket.family) continue;
    const exact = listener.local.address === socket.local.address;
    if (!exact && !WILDCARDS.has(listener.local.address)) continue;
    if (best === undefined || preferred(listener, best)) best = listener;
  }
  return best;
}

function preferred(candidate: Listener, best: Listener): boolean {
  const exact = Number(!WILDCARDS.has(candidate.local.address)) - Number(!WILDCARDS.has(best.local.address));
  return exact !== 0 ? exact > 0 : candidate.queue > best.queue;
}

const NONE: readonly Listener[] = [];

/** Listeners at the very same end (SO_REUSEPORT), itself included. */
export const sharing = (listener: Listener, listeners: readonly Listener[]): Listener[] =>
  listeners.filter(
    ({ netns, family, local }) =>
      netns === listener.netns &&
      family === listener.family &&
      local.port === listener.local.port &&
      local.address === listener.local.address,
  );

/** Listeners by port, so that 100,000 sockets do not each look at all of them. */
export class ListenerIndex {
  readonly #byPort = new Map<number, Listener[]>();
  /** 1 where somebody listens, which is all that most who ask need to know. */
  readonly #ports = new Uint8Array(65_536);

  constructor(listeners: Listener[]) {
    for (const listener of listeners) {
      this.#ports[listener.local.port] = 1;
      const same = this.#byPort.get(listener.local.port);
      if (same) same.push(listener);
      else this.#byPort.set(listener.local.port, [listener]);
    }
  }

  ports(): Iterable<number> {
    return this.#byPort.keys();
  }

  of(socket: LocalEnd): Listener | undefined {
    const { local, netns, family } = socket;
    // One after the other they mostly came in at the same end.
    if (local === this.#local && netns === this.#netns && family === this.#family) return this.#last;
    const candidates = this.#byPort.get(local.port);
    this.#local = local;
    this.#netns = netns;
    this.#family = family;
    this.#last = candidates && matchListener(socket, candidates);
    return this.#last;
  }

  #local: Endpoint | undefined;
  #netns = 0;
  #family = 0;
  #last: Listener | undefined;

  at(port: number): readonly Listener[] {
    if (this.#ports[port] === 0) return NONE;
    return this.#byPort.get(port) ?? NONE;
  }
}

export const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1';
