import type { CodePlace } from '../model/finding.ts';
import type { Frame, Strand } from '../model/inside.ts';
import { placeText } from '../model/place-text.ts';
import { formatNumber, plural } from '../model/words.ts';
import { cut, type Paint, printable, wrap } from './text.ts';

type Page = { paint: Paint; width: number };

/** The lines of code that a finding is about: the place first, then what happens there. */
export function renderCode(code: readonly CodePlace[], { paint, width }: Page): string[] {
  if (code.length === 0) return [];
  return [
    '',
    `  ${paint('strong', 'Code')}`,
    ...code.flatMap((place) => {
      const { frame, callers } = place;
      const says = wrap(printable(saying(place)), width, frame ? 6 : 4, 6);
      if (!frame) return says;
      const from =
        callers.length === 0 ? [] : wrap(printable(`called by ${callers.map(placeText).join(', ')}`), width, 6, 8);
      return [
        `    ${paint('strong', cut(printable(placeText(frame)), width - 4))}`,
        ...says,
        ...from.map((it) => paint('dim', it)),
      ];
    }),
  ];
}

const STRAND: Record<Strand['kind'], string> = { thread: 'thread', goroutine: 'goroutine', task: 'task' };

function saying({ role, sockets = 0, strands = 0, of = 0, kind = 'thread', what }: CodePlace): string {
  const these = plural(sockets, 'of these sockets', 'of these sockets');
  const who =
    strands === of && of === 1
      ? `the only ${STRAND[kind]} is`
      : `${formatNumber(strands)} of ${plural(of, STRAND[kind])} ${strands === 1 ? 'is' : 'are'}`;
  switch (role) {
    case 'read-end':
      return `read the end of ${these} while it was watched, and did not close`;
    case 'handler':
      return `handles '${what}' of ${these}`;
    case 'waits':
      return `${who} here${what === undefined ? '' : `: ${eachOf(strands, what)}`}`;
    case 'deadlock':
      return `deadlocked here: ${what}`;
    case 'runs':
      return 'runs here now: the event loop comes to nothing else meanwhile';
    case 'made':
      return `made ${these}`;
    case 'refers':
      return `${what} still refers to ${these}${of > 0 ? `, of ${formatNumber(of)} that were followed` : ''}`;
  }
}

/** Words that were found for one, said of several. */
export const eachOf = (count: number, doing: string): string =>
  count > 1 && /^(?:wait|sleep|use)s\b/.test(doing) ? `each ${doing}` : doing;

/** Frames of others between those of the program are told in one line, unless all are wanted. */
export function renderStack(frames: readonly Frame[], { paint, width }: Page, indent: number, all: boolean): string[] {
  const lines: string[] = [];
  let folded: Frame[] = [];
  const margin = ' '.repeat(indent);
  const fold = (): void => {
    if (folded.length === 0) return;
    const names = folded.slice(0, 3).map(({ function: name }) => name.replace(/^.*[./](?=[^./]+[./][^./]+$)/, ''));
    const more = folded.length > 3 ? ', …' : '';
    lines.push(
      paint('dim', cut(`${margin}  ${plural(folded.length, 'frame')}: ${printable(names.join(', '))}${more}`, width)),
    );
    folded = [];
  };
  for (const frame of frames) {
    if (frame.origin !== 'application' && !all) {
      folded.push(frame);
      continue;
    }
    fold();
    const text = cut(`${margin}${printable(placeText(frame))}`, width);
    lines.push(frame.origin === 'application' ? paint('strong', text) : text);
  }
  fold();
  return lines;
}
