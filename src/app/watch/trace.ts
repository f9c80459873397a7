import type { TransitionSource } from '../../kernel/transitions.ts';
import { SystemError, UnclosedError } from '../../model/errors.ts';
import type { Trace } from '../../model/watch.ts';

/** How entries and exits are to be heard of: in the best way that the machine allows (`auto`), or in one alone. */
export const TRACES = ['auto', 'bpf', 'tracefs', 'polls'] as const;
export type TraceChoice = (typeof TRACES)[number];

/** Without a source, looks are compared. */
export type OpenTrace = { source?: TransitionSource; trace: Omit<Trace, 'lost'> };

const WAYS = {
  bpf: async (): Promise<TransitionSource> =>
    new (await import('../../kernel/bpf/transition-source.ts')).BpfTransitions(),
  tracefs: async (): Promise<TransitionSource> =>
    new (await import('../../kernel/trace-instance.ts')).TracefsTransitions(),
};

export async function openTrace(choice: TraceChoice): Promise<OpenTrace> {
  if (choice === 'polls') return { trace: { kind: 'polls' } };
  const refusals: string[] = [];
  for (const way of choice === 'auto' ? (['bpf', 'tracefs'] as const) : [choice]) {
    try {
      const source = await WAYS[way]();
      const refused = refusals.join('; ');
      return { source, trace: { kind: source.kind, ...(refused !== '' && { refused }) } };
    } catch (error) {
      // Without the FFI the import fails; anything else is what the machine refuses.
      const reason = error instanceof SystemError ? error.message : (error as Error).message.split('\n')[0];
      refusals.push(`${way}: ${reason}`);
    }
  }
  const refused = refusals.join('; ');
  if (choice === 'auto') return { trace: { kind: 'polls', refused } };
  throw new UnclosedError(
    'SOURCE_UNAVAILABLE',
    `--trace ${choice}: ${refused}`,
    'leave --trace out: then the best way is used that this machine allows',
  );
}
