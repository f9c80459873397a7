import { ParseError } from '../../model/errors.ts';

/** HotSpot answers with a number in a line of its own, 0 for success, and then the text. */
export function parseAttachAnswer(bytes: Uint8Array): { code: number; text: string } {
  const text = new TextDecoder().decode(bytes);
  const [, code, rest] = /^(-?[0-9]{1,10})\n(.*)$/s.exec(text) ?? [];
  if (code === undefined || rest === undefined)
    throw new ParseError('answer of the JVM', `no number comes first in "${text.slice(0, 80)}"`);
  return { code: Number(code), text: rest };
}

/** What one command looks like: the version of the protocol, the command, and always three arguments (attachListener_linux.cpp). */
export function attachRequest(command: string, ...args: string[]): Uint8Array {
  const words = ['1', command, ...args, '', '', ''].slice(0, 5);
  return new TextEncoder().encode(words.map((word) => `${word}\0`).join(''));
}
