import type { Call, Strand, WaitedOn } from '../../model/inside.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { formatDuration, formatEndpoint, formatNumber, plural } from '../../model/words.ts';
import { DOING } from '../waits.ts';

const SPINNING = 0.9;

/** Says what a thread, goroutine or task does, in terms of connections. */
export class StrandWords {
  readonly #services: Snapshot['services'];
  /** Who comes in at a port where somebody listens is a client. */
  readonly #servedPorts: ReadonlySet<number>;

  constructor({ services, listeners }: Snapshot) {
    this.#services = services;
    this.#servedPorts = new Set(listeners.map(({ local }) => local.port));
  }

  of({ waitsFor, call, busy = 0, kernelState, sleepsIn, state, sinceMs, frames }: Strand): string | undefined {
    const since = sinceMs === undefined ? '' : ` for ${formatDuration(sinceMs)}`;
    if (busy >= SPINNING) return 'uses a whole processor';
    if (waitsFor)
      return `waits for ${waitsFor.lock}${waitsFor.owner === undefined ? '' : `, which ${waitsFor.owner} has`}${since}`;
    if (sleepsIn !== undefined) return `sleeps in the kernel, in ${sleepsIn}`;
    if (kernelState === 'stopped' || kernelState === 'traced') return kernelState;
    // HotSpot sleeps on a futex, which the kernel cannot tell from a lock.
    if (SLEEP.test(frames[0]?.function ?? '')) return 'sleeps';
    if (call) return this.#call(call);
    return state === undefined ? undefined : `${OF_TASKS[state] ?? state}${since}`;
  }

  #call({ name, kind, on = [], onCount, timeoutMs, futex }: Call): string {
    const [verb] = kind ? DOING[kind] : [`is in ${name}`];
    const limit = timeoutMs === undefined || timeoutMs === 0 ? '' : `, for at most ${formatDuration(timeoutMs)}`;
    if (futex) return `${verb}${futex.owner === undefined ? '' : `, which thread ${futex.owner} has`}${limit}`;
    const named = on.slice(0, MOST_ENDS).flatMap((it) => this.#end(it) ?? []);
    const count = onCount ?? on.length;
    if (named.length === 0)
      return `${verb}${kind === 'events' && count > 1 ? ` of ${plural(count, 'file')}` : ''}${limit}`;
    const more = count > named.length ? ` and ${formatNumber(count - named.length)} more` : '';
    return `${verb} ${PREPOSITION[kind ?? 'events']} ${named.join(', ')}${more}${limit}`;
  }

  #end({ state, local, peer, file }: WaitedOn): string | undefined {
    if (state === 'LISTEN') return local && formatEndpoint(local);
    if (!peer) return file?.startsWith('anon_inode:') ? undefined : file;
    if (local && this.#servedPorts.has(local.port)) return `client ${formatEndpoint(peer)}`;
    const service = this.#services.get(peer.port);
    return `${formatEndpoint(peer)}${service === undefined ? '' : ` (${service})`}`;
  }
}

const SLEEP = /^java\.lang\.Thread\.sleep(?:0|Nanos0?)?$/;

/** What inspect.getcoroutinestate() of Python says. */
const OF_TASKS: Record<string, string> = {
  CORO_CREATED: 'has not begun',
  CORO_RUNNING: 'runs',
  CORO_SUSPENDED: 'waits for what it awaits',
  CORO_CLOSED: 'has ended',
};

const MOST_ENDS = 2;

const PREPOSITION: Record<NonNullable<Call['kind']>, string> = {
  receive: 'from',
  send: 'to',
  connect: 'to',
  accept: 'at',
  events: 'on',
  lock: 'on',
  sleep: 'on',
  child: 'on',
};
