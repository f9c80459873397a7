import { createServer } from 'node:net';
import type { Jvm } from './jvm.ts';
import { refused } from './trouble.ts';

/**
 * Takes the right to ask a JVM, of which one unclosed at a time has it. It is an abstract unix socket, which the kernel takes
 * away with the process.
 */
export function lockJvm({ pid, nspid, startTicks }: Jvm): Promise<() => void> {
  const server = createServer((client) => client.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? refused(`another unclosed asks pid ${pid} at this moment`, 'wait for it to end, and look again')
          : error,
      ),
    );
    server.listen(`\0unclosed-java-${nspid}-${startTicks}`, () => {
      server.unref();
      resolve(() => server.close());
    });
  });
}
