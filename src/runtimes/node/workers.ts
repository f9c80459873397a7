import { field, textIn } from '../../parse/node/values.ts';
import { Commands, type Session } from './inspector.ts';

/** A worker thread (node:worker_threads), which is asked by way of the main thread. */
export type Worker = { name: string; session: Session };

const COMMAND_MS = 3000;

/**
 * Runs `act` with the workers of a process. Neither stops: they are not made to wait for a debugger when they start.
 */
export async function withWorkers<T>(main: Session, act: (workers: Worker[]) => Promise<T>): Promise<T> {
  const workers = new Map<string, Worker & { commands: Commands }>();
  const offs = [
    main.on('NodeWorker.attachedToWorker', (params) => {
      const sessionId = textIn(params, 'sessionId');
      if (sessionId === undefined) return;
      const info = field(params, 'workerInfo');
      const commands = new Commands((message) => {
        main.send('NodeWorker.sendMessageToWorker', { sessionId, message }, COMMAND_MS).catch(() => {}); // its own time-out tells
      });
      const name = textIn(info, 'title') ?? `worker ${textIn(info, 'workerId') ?? ''}`;
      workers.set(sessionId, { name, session: commands, commands });
    }),
    main.on('NodeWorker.receivedMessageFromWorker', (params) => {
      const message = textIn(params, 'message');
      if (message !== undefined) workers.get(textIn(params, 'sessionId') ?? '')?.commands.receive(message);
    }),
    main.on('NodeWorker.detachedFromWorker', (params) => {
      workers.get(textIn(params, 'sessionId') ?? '')?.commands.end('the worker has ended');
    }),
  ];
  await main.send('NodeWorker.enable', { waitForDebuggerOnStart: false }, COMMAND_MS);
  try {
    return await act([...workers.values()].map(({ name, session }) => ({ name, session })));
  } finally {
    await main.send('NodeWorker.disable', {}, COMMAND_MS).catch(() => {}); // the end of the session does the same
    for (const { commands } of workers.values()) commands.end('the session has ended');
    for (const off of offs) off();
  }
}
