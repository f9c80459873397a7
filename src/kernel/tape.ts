import { SystemError } from '../model/errors.ts';
import { NO_ANSWER } from './machine.ts';

/** One answer of a machine: bytes, or the errno with which it refused and the call: `EACCES open /proc/1/fd`. */
export type Answer = { bytes: Uint8Array } | { refused: string };

/**
 * Answers in the order in which they were given, by the name of the question. A question that is asked twice (the time,
 * a table that is read again) has two answers.
 */
export class Tape {
  readonly #answers = new Map<string, Answer[]>();
  readonly #played = new Map<string, number>();

  add(question: string, answer: Answer): void {
    const answers = this.#answers.get(question);
    if (answers) answers.push(answer);
    else this.#answers.set(question, [answer]);
  }

  /** The next answer to a question; the last one again when it is asked more often than it was. */
  next(question: string): Uint8Array {
    const answers = this.#answers.get(question);
    const turn = this.#played.get(question) ?? 0;
    this.#played.set(question, turn + 1);
    const answer = answers?.[Math.min(turn, answers.length - 1)];
    if (answer === undefined) throw new SystemError(NO_ANSWER, question);
    if ('refused' in answer) throw refusal(answer.refused, question);
    return answer.bytes;
  }

  questions(): string[] {
    return [...this.#answers.keys()];
  }

  entries(): [string, Answer[]][] {
    return [...this.#answers];
  }
}

function refusal(refused: string, question: string): SystemError {
  const [code = refused, ...call] = refused.split(' ');
  return new SystemError(code, call.length > 0 ? call.join(' ') : question);
}
