import { ParseError, SystemError } from '../model/errors.ts';

/** Undefined when the answer is not to be had: a fact that is missing stays unknown and costs no other fact. */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SystemError || error instanceof ParseError) return undefined;
    throw error;
  }
}
