import { createInterface } from 'node:readline/promises';
import { type Options, usage, type Values } from './command.ts';

/** Whether to act. Without any of them it is a dry run. */
export const ACTING = {
  yes: { type: 'boolean' },
  ask: { type: 'boolean' },
  state: { type: 'string' },
  log: { type: 'boolean' },
} as const satisfies Options;

/** Whether what was printed shall be done: --yes says so, or with --ask a person does, at a terminal, by the whole word. */
export async function isConfirmed(values: Values<typeof ACTING>): Promise<boolean> {
  if (values.yes) return true;
  if (!values.ask) return false;
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw usage('--ask needs a terminal to ask at', 'without one: --yes, or nothing for a dry run');
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await lines.question('Do this? Type yes to do it: ')).trim() === 'yes';
  } catch {
    return false; // Ctrl-C or Ctrl-D
  } finally {
    lines.close();
  }
}

export function requireOneWay({ yes, ask }: Values<typeof ACTING>): void {
  if (yes && ask) throw usage('--yes and --ask contradict each other', 'give one of them, or none for a dry run');
}
