import { ParseError, SystemError } from '../../model/errors.ts';

/**
 * Whether what was read was no object any more, as happens while a program goes on: its own reader leaves it out. That the whole
 * process has ended is not of that kind.
 */
export const isTorn = (error: unknown): boolean =>
  error instanceof ParseError || (error instanceof SystemError && error.code !== 'ESRCH');

/** Undefined when it is torn. */
export function unlessTorn<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isTorn(error)) return undefined;
    throw error;
  }
}
