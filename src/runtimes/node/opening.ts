import { setTimeout as sleep } from 'node:timers/promises';
import type { Target } from '../../kernel/target.ts';
import { SystemError } from '../../model/errors.ts';
import type { Endpoint, Listener } from '../../model/socket.ts';
import { inspectorVersion } from '../../parse/node/version.ts';
import { type Dial, dialer } from './dial.ts';
import { getJson } from './inspector.ts';
import type { Listening } from './listening.ts';

/** An inspector that answers. */
export type Open = { at: Endpoint; dial: Dial; version: string };

/** The first of these places at which an inspector of Node.js answers. Nobody else's ports are asked. */
export async function answering(
  places: readonly Listener[],
  { netns }: Listening,
  pid: number,
): Promise<Open | undefined> {
  for (const { local: at } of places) {
    const dial = dialer(at, netns, pid);
    const version = inspectorVersion(await getJson(dial, '/json/version').catch(() => undefined));
    if (version !== undefined) return { at, dial, version };
  }
  return undefined;
}

/** Opening takes 10 ms; a program in a native call opens it when that returns. */
const OPEN_MS = 4000;
const POLL_MS = 20;

/**
 * Sends SIGUSR1 and waits for the process to listen at a port at which it did not before. The wait cannot be ended early: what
 * opens must be closed again. Undefined when nothing opens in time.
 */
export async function openBySignal(pid: number, target: Target, listening: Listening): Promise<Open | undefined> {
  const before = new Set(listening.read().map(({ inode }) => inode));
  target.signal('SIGUSR1');
  const until = performance.now() + OPEN_MS;
  while (performance.now() < until) {
    await sleep(POLL_MS);
    if (target.hasEnded()) throw new SystemError('ESRCH', `pid ${pid}`);
    const added = listening.read().filter(({ inode }) => !before.has(inode));
    const open = await answering(listening.held(added), listening, pid);
    if (open) return open;
  }
  return undefined;
}
