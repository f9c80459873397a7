import { LiveMachine } from '../kernel/live.ts';
import type { Machine } from '../kernel/machine.ts';
import { UnclosedError } from '../model/errors.ts';

/**
 * Where a live machine is read: over netlink with system calls through the FFI (`auto`, falling back to text files where
 * that does not load), or from the text files of /proc alone.
 */
export type SourceChoice = 'auto' | 'procfs';

export async function liveMachine(choice: SourceChoice = 'auto'): Promise<Machine> {
  if (process.platform !== 'linux') {
    throw new UnclosedError('NOT_LINUX', `this is ${process.platform}`, 'run it on the Linux machine in question');
  }
  if (choice === 'procfs') return new LiveMachine();
  try {
    return new LiveMachine(await import('../kernel/fast.ts'));
  } catch {
    return new LiveMachine(); // the capture says what is lost
  }
}
