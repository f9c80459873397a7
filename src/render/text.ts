/** Styles text for a terminal, or gives it back as it is. */
export type Style = 'critical' | 'warning' | 'ok' | 'strong' | 'dim' | 'selected';
export type Paint = (style: Style, text: string) => string;

/**
 * Names and command lines are chosen by programs, so by anybody. What a terminal would obey (control characters of both
 * sets, and the marks that turn the direction of text) is shown as \xNN or \u{NNNN} instead.
 */
export const printable = (text: string): string =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (character) => {
    const code = character.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });

/** Shortens to `width` with an ellipsis at the end. */
export const cut = (text: string, width: number): string =>
  text.length <= width ? text : `${wholeCharacters(text.slice(0, Math.max(0, width - 1)))}…`;

/** Without the first half of a surrogate pair at the end. */
const wholeCharacters = (text: string): string => text.replace(/[\ud800-\udbff]$/, '');

/** Breaks at spaces into lines of at most `width`, the first indented by `indent`, the others by `hanging`. */
export function wrap(text: string, width: number, indent: number, hanging = indent): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(NOT_BEFORE_A_UNIT)) {
    const margin = lines.length === 0 ? indent : hanging;
    if (line !== '' && margin + line.length + 1 + word.length > width) {
      lines.push((' '.repeat(margin) + line).trimEnd());
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  if (line !== '') lines.push((' '.repeat(lines.length === 0 ? indent : hanging) + line).trimEnd());
  return lines;
}

/** A number stays with its unit: `50 %` and `36 s` are one word each. */
const NOT_BEFORE_A_UNIT = /(?<![0-9]) |(?<=[0-9]) (?!(?:s|min|h|d|%)(?:[ ,.:]|$))/;

/** Pads a left and a right part to the width; the right one goes to a line of its own when both do not fit. */
export function spread(left: string, right: string, width: number): { gap: string; fits: boolean } {
  const room = width - left.length - right.length;
  return room >= 2 ? { gap: ' '.repeat(room), fits: true } : { gap: '', fits: false };
}
