import type { CaptureCount } from './row.ts';
import { parseState } from './state.ts';

const COUNT_FIRST = /^\s*([0-9][0-9,.]{0,14})\s+(?:tcp6?\s+)?"?([A-Za-z][\w -]{3,18}?)"?\s*$/;
const STATE_FIRST = /^\s*(?:tcp6?\s+)?"?([A-Za-z][\w-]{3,18})"?\s*[:=]?\s*([0-9][0-9,.]{0,14}),?\s*$/;

/** `7047 CLOSE_WAIT`, `CLOSE_WAIT: 7047`: what `sort | uniq -c` and the like make of the column of states. */
export function readCount(text: string, line: number): CaptureCount | undefined {
  const first = COUNT_FIRST.exec(text);
  const [number, word] = first ? [first[1], first[2]] : (STATE_FIRST.exec(text)?.slice(1, 3).reverse() ?? []);
  const state = parseState(word ?? '');
  const count = Number(number?.replace(/[,.]/g, ''));
  return state && Number.isSafeInteger(count) ? { line, state, count } : undefined;
}

/** Words of headers that `uniq -c` counts too. */
export const isCountedHeader = (text: string): boolean =>
  /^\s*[0-9]+\s+(?:State|Foreign|Address|established\)|servers\)|\(state\)|and|Local|Recv-Q|Address:Port|)\s*$/.test(
    text,
  );

/** Of `ss -s`, which does not count CLOSE_WAIT. */
export const isSocketStatistics = (text: string): boolean =>
  /^(?:Total:\s+[0-9]+|TCP:\s+[0-9]+ \(estab [0-9]+|Transport\s+Total\s+IP|(?:\*|RAW|UDP|TCP|INET|FRAG)\s+[0-9]+\s+(?:[0-9]+|-)\s+(?:[0-9]+|-)\s*$)/.test(
    text,
  );

/** The count that `... | grep CLOSE_WAIT | wc -l` prints, when the command stands above it. */
export function stateCountedBy(command: string): ReturnType<typeof parseState> {
  if (!/\bwc\s+-l\b|\bgrep\s+(?:-\w+\s+)*-\w*c/.test(command)) return undefined;
  const words = command.match(/[A-Za-z]+[-_][A-Za-z]+(?:[-_]?[0-9])?|\b(?:ESTAB|ESTABLISHED|LISTEN)\b/g) ?? [];
  return words.map(parseState).find((state) => state !== undefined);
}
