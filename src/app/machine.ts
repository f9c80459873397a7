import { LiveMachine } from '../kernel/live.ts';
import type { Machine } from '../kernel/machine.ts';
import { UnclosedError } from '../model/errors.ts';

/**
 * How a live machine is read: by the best way that it allows (`auto`), or by one of them alone. BPF iterators and netlink
 * need system calls through the FFI; procfs means the text files of /proc.
 */
export const SOURCES = ['auto', 'bpf', 'bpf-generic', 'netlink', 'procfs'] as const;
export type SourceChoice = (typeof SOURCES)[number];

export async function liveMachine(choice: SourceChoice = 'auto'): Promise<Machine> {
  if (process.platform !== 'linux') {
    throw new UnclosedError('NOT_LINUX', `this is ${process.platform}`, 'run it on the Linux machine in question');
  }
  if (choice === 'procfs') return new LiveMachine();
  try {
    const fast = await import('../kernel/fast.ts');
    const kinds = KINDS[choice];
    if (kinds.length === 0) return new LiveMachine(fast);
    const { HeldSource } = await import('../kernel/bpf/held-source.ts');
    return new LiveMachine(fast, new HeldSource(kinds));
  } catch (error) {
    if (choice === 'auto') return new LiveMachine(); // the capture says what is lost
    throw new UnclosedError(
      'SOURCE_UNAVAILABLE',
      `--source ${choice}: ${(error as Error).message}`,
      'leave --source out',
    );
  }
}

const KINDS: Record<Exclude<SourceChoice, 'procfs'>, readonly ('typed' | 'generic')[]> = {
  auto: ['typed', 'generic'],
  bpf: ['typed'],
  'bpf-generic': ['generic'],
  netlink: [],
};
