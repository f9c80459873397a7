import { SystemError } from '../model/errors.ts';
import { inNetns } from './fast.ts';
import * as libc from './libc.ts';
import { type NetNsEntry, OWN_NETNS } from './machine.ts';
import { readParameters, writeParameter } from './parameters.ts';

/** A namespace for sure: its number is given to another one when it has ended, its cookie never (Linux 5.14). */
export type NetnsIdentity = { id: number; cookie?: string };

/** Runs `action` in the namespace. Tries each way into it: a process by which it was found may have ended. */
function within<T>({ id, paths }: NetNsEntry, action: () => T): T {
  let refusal: SystemError | undefined;
  for (const path of paths) {
    if (path === OWN_NETNS) return action();
    try {
      return inNetns(id, path, action);
    } catch (error) {
      if (!(error instanceof SystemError) || !/^(open|setns)\b/.test(error.call)) throw error;
      refusal = error;
    }
  }
  throw refusal ?? new SystemError('ESRCH', `network namespace ${id}`);
}

export const identifyNetns = (entry: NetNsEntry): NetnsIdentity =>
  within(entry, () => {
    const cookie = libc.netnsCookie();
    return { id: entry.id, ...(cookie !== undefined && { cookie }) };
  });

/**
 * Sets a parameter, but only where it still has the value that the decision was made by, and gives what the kernel has
 * made of it. All in one visit to the namespace, which must be the very same one.
 */
export const changeParameter = (
  entry: NetNsEntry,
  identity: NetnsIdentity,
  { name, before, after }: { name: string; before: string; after: string },
): string =>
  within(entry, () => {
    if (libc.netnsCookie() !== identity.cookie) throw new SystemError('ESTALE', `network namespace ${entry.id}`);
    const now = readParameters([name])[name];
    if (now !== before) throw new SystemError('ESTALE', `${name} is ${now ?? 'not there'}, no longer ${before}`);
    return writeParameter(name, after);
  });
