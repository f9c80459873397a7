import type { TransitionSink } from '../parse/transitions.ts';

/** Hears of every socket that comes into CLOSE_WAIT or leaves it, in all network namespaces. */
export interface TransitionSource {
  readonly kind: 'bpf' | 'tracefs';
  /** Hands on what has come since the last time. */
  drain(sink: TransitionSink): void;
  /** Whether the buffer has been full, so that something was lost; asking makes it false again. */
  takeLost(): boolean;
  close(): void;
}
