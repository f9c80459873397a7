import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoint } from '../../model/socket.ts';
import { type Inspector, NoAnswer } from './inspector.ts';
import { isAt, type Listening } from './listening.ts';
import { LOADER } from './loader.ts';
import { loopTurns } from './questions.ts';

// How an inspector is closed that was opened by us. inspector.close() ends the thread that talks to us, and waits for it.
// Where our own goodbye crosses that, the thread dies in WsHandler::OnCloseFrameWritten (src/inspector_socket.cc), and the program with
// it: seen in up to 5 of 8 runs. So one side closes, and the other waits: the process is told to close a moment later, and
// until then we have gone. A program whose event loop does not turn would never come to that moment: it closes at once, and we only wait.

/** By then our connection has ended. Nobody may connect again before. */
const CLOSE_AFTER_MS = 400;
/** Should we die without a goodbye, the process closes by itself; longer than anything that is asked. */
const ABANDONED_AFTER_MS = 120_000;
const GOODBYE_MS = 2000;
const COMMAND_MS = 3000;

/** What the process keeps for its own closing: an object there, by its id. */
export type Closer = string;

/** Makes the process close its inspector when we are not heard of again. */
export async function armCloser(inspector: Inspector): Promise<Closer> {
  const expression = `((load) => {
    const close = () => load('inspector').close();
    return { close, timer: load('timers').setTimeout(close, ${ABANDONED_AFTER_MS}).unref() };
  })(${LOADER})`;
  const answer = await inspector.send<{ result?: { objectId?: string } }>(
    'Runtime.evaluate',
    { expression, includeCommandLineAPI: true, silent: true },
    COMMAND_MS,
  );
  const id = answer.result?.objectId;
  if (id === undefined) throw new NoAnswer('it cannot be told to close its inspector');
  return id;
}

/** How the session went: what the process has answered, and whether its event loop turns. */
export type Ending = { closer: Closer | undefined; loop: 'turns' | 'blocked' | 'unknown' };

/** Ends a session with an inspector that we have opened. Never throws. */
export async function closeOpened(inspector: Inspector, { closer, loop: known }: Ending): Promise<void> {
  if (closer !== undefined) await inspector.send('Debugger.disable', {}, COMMAND_MS).catch(() => {}); // should it stand still
  const loop = known === 'unknown' && closer !== undefined ? await loopOf(inspector) : known;
  const body =
    loop === 'blocked'
      ? 'function () { this.close(); }'
      : `function () { clearTimeout(this.timer); setTimeout(this.close, ${CLOSE_AFTER_MS}).unref(); }`;
  const told =
    closer === undefined
      ? inspector.send('Runtime.evaluate', laterExpression(), COMMAND_MS)
      : inspector.send(
          'Runtime.callFunctionOn',
          { objectId: closer, functionDeclaration: body, silent: true },
          COMMAND_MS,
        );
  if (loop === 'blocked') {
    told.catch(() => {}); // the connection ends before the answer
    await inspector.ended(COMMAND_MS);
    return;
  }
  await told.catch(() => {}); // in a native call it is done when that returns
  await inspector.close(GOODBYE_MS);
}

const loopOf = (inspector: Inspector): Promise<Ending['loop']> =>
  loopTurns(inspector).then(
    (turns) => (turns ? 'turns' : 'blocked'),
    () => 'unknown',
  );

const laterExpression = (): object => ({
  expression: `((load) => { load('timers').setTimeout(() => load('inspector').close(), ${CLOSE_AFTER_MS}).unref(); })(${LOADER})`,
  includeCommandLineAPI: true,
  silent: true,
});

const GONE_MS = 3000;
const POLL_MS = 20;

/** Waits until nobody listens there any more; false when that takes too long. */
export async function waitUntilClosed(listening: Listening, at: Endpoint): Promise<boolean> {
  const until = performance.now() + CLOSE_AFTER_MS + GONE_MS;
  while (performance.now() < until) {
    if (!listening.read().some((listener) => isAt(listener, at))) return true;
    await sleep(POLL_MS);
  }
  return false;
}
