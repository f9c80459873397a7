// Text on a grid of terminal columns. East Asian and emoji characters take two of them, combining marks none (a short
// form of Unicode's EastAsianWidth.txt), and a name can hold any of them.

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const NONE = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const PLAIN = /^[\u0020-\u007e\u00a0-\u02ff\u2010-\u2027\u2190-\u21ff\u2500-\u259f]*$/;

const widthOfCharacter = (character: string): number => (WIDE.test(character) ? 2 : NONE.test(character) ? 0 : 1);

export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += widthOfCharacter(character);
  return width;
}

/** Exactly `width` columns: cut with an ellipsis, or filled up with spaces on the side given. */
export function fit(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const whole = widthOf(text);
  if (whole > width) return cutTo(text, width);
  const space = ' '.repeat(width - whole);
  return align === 'left' ? text + space : space + text;
}

function cutTo(text: string, width: number): string {
  if (width <= 0) return '';
  let kept = '';
  let used = 0;
  for (const character of text) {
    const next = used + widthOfCharacter(character);
    if (next > width - 1) break;
    kept += character;
    used = next;
  }
  return `${kept}…${' '.repeat(width - 1 - used)}`;
}

const EIGHTHS_UP = ' ▁▂▃▄▅▆▇█';
const EIGHTHS_RIGHT = ' ▏▎▍▌▋▊▉█';

/** The last `width` values as columns; the highest value of them is full, and 0 is empty. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-width);
  const most = Math.max(1, ...shown);
  // Whatever is more than nothing can be seen.
  const columns = shown.map((value) => EIGHTHS_UP[value === 0 ? 0 : Math.max(1, Math.round((value / most) * 8))]);
  return columns.join('').padStart(width);
}

/** A bar over `width` columns for a share from 0 to 1. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  const whole = Math.floor(eighths / 8);
  const part = eighths % 8 === 0 ? '' : (EIGHTHS_RIGHT[eighths % 8] ?? '');
  return ('█'.repeat(whole) + part).padEnd(width);
}
