import type { HeldAnswer, HeldRequest } from '../../kernel/machine.ts';
import type { Repeat } from '../search.ts';

/** What no change of state tells of is as old as this at most: who has read from a socket, or holds it too. */
const LONGEST_MS = 10_000;

/**
 * Spares the pass over all descriptors where the kernel tells of every socket that comes into CLOSE_WAIT or leaves it, and
 * none has come to stay or gone: then those of the last pass are still there, and only older.
 */
export class KeptPass implements Repeat {
  #kept: { states: number; answer: HeldAnswer; at: number } | undefined;
  /** Set before each look: what the one before has seen is still there, and nothing else. */
  isSame = false;

  pass({ states, pid }: HeldRequest, now: number, read: () => HeldAnswer): HeldAnswer {
    const kept = this.#kept;
    if (kept && this.isSame && pid === undefined && states === kept.states) {
      const laterMs = now - kept.at;
      if (laterMs >= 0 && laterMs <= LONGEST_MS) return { ...kept.answer, facts: { ...kept.answer.facts, laterMs } };
    }
    const answer = read();
    this.#kept = pid === undefined ? { states, answer, at: now } : undefined;
    return answer;
  }
}
