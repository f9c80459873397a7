import { ParseError } from '../../model/errors.ts';

// Frames of RFC 6455, section 5.2, as far as the inspector of Node.js needs them: no extensions.

export const OPCODE = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 } as const;

/** A message that is complete: fragments are put together. */
export type Message = { opcode: number; payload: Uint8Array };

/** More than any answer that is asked for. */
const MOST_BYTES = 256 * 2 ** 20;

/** One frame of a client, which must be masked with four bytes. */
export function encodeFrame(opcode: number, payload: Uint8Array, mask: Uint8Array): Uint8Array {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const frame = new Uint8Array(2 + extended + 4 + length);
  const view = new DataView(frame.buffer);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) view.setUint16(2, length);
  if (extended === 8) view.setBigUint64(2, BigInt(length));
  const start = 2 + extended + 4;
  for (let i = 0; i < 4; i++) frame[start - 4 + i] = mask[i] ?? 0;
  for (let i = 0; i < length; i++) frame[start + i] = (payload[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return frame;
}

/** Puts the messages of a server together from the pieces in which they come. */
export class MessageReader {
  #bytes = new Uint8Array(4096);
  #length = 0;
  #fragments: Uint8Array[] = [];
  #opcode = 0;

  push(piece: Uint8Array): Message[] {
    this.#append(piece);
    const messages: Message[] = [];
    let start = 0;
    for (let frame = this.#frameAt(start); frame; frame = this.#frameAt(start)) {
      start = frame.end;
      const message = this.#take(frame);
      if (message) messages.push(message);
    }
    this.#bytes.copyWithin(0, start, this.#length);
    this.#length -= start;
    return messages;
  }

  #append(piece: Uint8Array): void {
    const needed = this.#length + piece.length;
    if (needed > MOST_BYTES) throw new ParseError('WebSocket', `a message of more than ${MOST_BYTES} bytes`);
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = needed;
  }

  #frameAt(start: number): { fin: boolean; opcode: number; from: number; end: number } | undefined {
    const left = this.#length - start;
    if (left < 2) return undefined;
    const view = new DataView(this.#bytes.buffer, start, left);
    const first = view.getUint8(0);
    const second = view.getUint8(1);
    if ((first & 0x70) !== 0 || (second & 0x80) !== 0)
      throw new ParseError('WebSocket', 'a frame that is masked or extended, from a server');
    const short = second & 0x7f;
    const header = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (left < header) return undefined;
    const length = short === 126 ? view.getUint16(2) : short === 127 ? Number(view.getBigUint64(2)) : short;
    if (length > MOST_BYTES) throw new ParseError('WebSocket', `a frame of ${length} bytes`);
    if (left < header + length) return undefined;
    return { fin: first >= 0x80, opcode: first & 0x0f, from: start + header, end: start + header + length };
  }

  /** Frames of control stand between fragments, and are never fragments themselves. */
  #take({ fin, opcode, from, end }: { fin: boolean; opcode: number; from: number; end: number }): Message | undefined {
    const payload = this.#bytes.slice(from, end);
    if (opcode >= 8) return { opcode, payload };
    if (opcode !== OPCODE.continuation) this.#opcode = opcode;
    this.#fragments.push(payload);
    const size = this.#fragments.reduce((sum, { length }) => sum + length, 0);
    if (size > MOST_BYTES) throw new ParseError('WebSocket', `a message of more than ${MOST_BYTES} bytes`);
    if (!fin) return undefined;
    const whole = new Uint8Array(size);
    let at = 0;
    for (const fragment of this.#fragments) {
      whole.set(fragment, at);
      at += fragment.length;
    }
    this.#fragments = [];
    return { opcode: this.#opcode, payload: whole };
  }
}
