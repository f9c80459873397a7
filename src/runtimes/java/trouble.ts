import { isDenied, isGone, ParseError, SystemError } from '../../model/errors.ts';
import type { Gap } from '../../model/snapshot.ts';

/** Something that was to be expected, and ends what was begun. */
export class Trouble extends Error {
  readonly gap: Gap;

  constructor(gap: Gap) {
    super(`${gap.what}: ${gap.effect}`);
    this.name = 'Trouble';
    this.gap = gap;
  }
}

/** What is lost when a JVM cannot be asked. */
export const NO_STACKS = 'which lines of code hold the sockets stays unknown';
/** What jcmd of the JDK does, for whoever decides to do it by hand. */
const byHand = (pid: number): string => `look by hand, as the user that runs it: jcmd ${pid} Thread.print -l`;

export const refused = (what: string, remedy: string, effect = NO_STACKS): Trouble =>
  new Trouble({ code: 'INSIDE_REFUSED', what, effect, remedy });

export const failed = (what: string, remedy: string, effect = NO_STACKS): Trouble =>
  new Trouble({ code: 'INSIDE_FAILED', what, effect, remedy });

/** The gap that an error leaves; a fault of ours is thrown on. */
export function gapOf(error: unknown, pid: number, asRoot: boolean, effect = NO_STACKS): Gap {
  if (error instanceof Trouble) return error.gap;
  if (error instanceof ParseError)
    return { code: 'INSIDE_FAILED', what: `pid ${pid}: ${error.message}`, effect, remedy: byHand(pid) };
  const failure = systemError(error);
  if (!failure) throw error;
  if (failure.code === 'ECANCELED')
    return {
      code: 'INSIDE_CUT',
      what: `the look into pid ${pid} was ended early`,
      effect,
      remedy: 'let it run to its end',
    };
  const what = `pid ${pid}: ${failure.message}`;
  if (isDenied(failure) || failure.code === 'EPIPE')
    return {
      code: 'INSIDE_DENIED',
      what,
      effect,
      remedy: asRoot ? 'run it on the host, and not in a container' : 'run it as root, or as the user of the process',
    };
  if (isGone(failure) || failure.code === 'ESTALE')
    return {
      code: 'INSIDE_FAILED',
      what: `${what}: it has ended`,
      effect,
      remedy: 'look at the process that came after it',
    };
  const remedy =
    failure.code === 'ETIMEDOUT' ? 'try again: a long garbage collection delays every answer' : byHand(pid);
  return { code: 'INSIDE_FAILED', what, effect, remedy };
}

/** Errors of Node's own calls count too. */
function systemError(error: unknown): SystemError | undefined {
  if (error instanceof SystemError) return error;
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  if (!(error instanceof Error) || typeof code !== 'string' || syscall === undefined) return undefined;
  return new SystemError(code, path === undefined ? syscall : `${syscall} ${path}`);
}
