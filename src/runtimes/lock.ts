import { once } from 'node:events';
import { createServer } from 'node:net';
import { type Machine, readText } from '../kernel/machine.ts';
import { SystemError } from '../model/errors.ts';
import { parseStat, parseStatus } from '../parse/proc-pid.ts';

/**
 * Takes the right to ask a process, which one unclosed at a time has: two that close an inspector at the same time can end it.
 * It is a name in the kernel's abstract space, which nobody has to remove, and the same one seen from a container and from its
 * host. Undefined when another one has it.
 */
export async function lockProcess(machine: Machine, pid: number): Promise<(() => void) | undefined> {
  const path = `/proc/${pid}`;
  const { startTicks } = parseStat(readText(machine, `${path}/stat`), `${path}/stat`);
  const { nspid } = parseStatus(readText(machine, `${path}/status`), `${path}/status`);
  const server = createServer((client) => client.destroy());
  server.listen({ path: `\0unclosed inspect ${nspid?.at(-1) ?? pid} ${startTicks}` });
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') return undefined;
    throw new SystemError(code, 'listen');
  }
  server.unref();
  return () => server.close();
}
