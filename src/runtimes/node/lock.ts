import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Keeps a second one of us away from the same process: two clients that close an inspector at the same time can end it. A name
 * in the kernel's abstract space, which nobody has to remove. Undefined when another one has it.
 */
export async function lock(pid: number, startedAt: number): Promise<(() => void) | undefined> {
  const server = createServer();
  server.listen({ path: `\0unclosed inspect ${pid} ${startedAt}` });
  try {
    await once(server, 'listening');
  } catch {
    return undefined;
  }
  server.unref();
  return () => server.close();
}
