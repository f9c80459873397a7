import { ParseError } from '../../model/errors.ts';

/** How the text of a str is kept: bytes for a character, and whether it is ASCII (which has a shorter head). */
export type TextForm = { width: 1 | 2 | 4; ascii: boolean };

/** The word `state` of PyASCIIObject: two bits interned, three bits kind, one compact, one ascii; the same from 3.7 to 3.13. */
export function textForm(state: number): TextForm {
  const width = (state >> 2) & 7;
  const compact = (state & 0x20) !== 0;
  if ((width !== 1 && width !== 2 && width !== 4) || !compact)
    throw new ParseError('PyASCIIObject.state', `0x${state.toString(16)}`);
  return { width, ascii: (state & 0x40) !== 0 };
}

const utf16 = new TextDecoder('utf-16le');

/** TextDecoder takes `latin1` for another character set. A call can have a few thousand arguments. */
function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}

export function decodeText(width: TextForm['width'], bytes: Uint8Array): string {
  if (width === 1) return latin1(bytes);
  if (width === 2) return utf16.decode(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = '';
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const character = view.getUint32(at, true);
    text += character <= 0x10ffff ? String.fromCodePoint(character) : '\ufffd';
  }
  return text;
}
