import { wrap } from './text.ts';

/**
 * A page of docs/causes as plain text, wrapped to the width: headings, paragraphs and lists. There is no other Markdown in
 * those pages.
 */
export function renderMarkdown(markdown: string, width: number): string {
  const lines: string[] = [];
  for (const block of markdown.trim().split(/\n{2,}/)) {
    const heading = /^(#+) (.*)$/.exec(block);
    if (heading) lines.push(...(lines.length > 0 ? [''] : []), plain(heading[2] ?? ''));
    else lines.push(...spaceBefore(lines, block), ...itemsOf(block).flatMap((item) => renderItem(item, width)));
  }
  return `${lines.join('\n')}\n`;
}

/** The first paragraph says it in one sentence. */
export const summaryOf = (markdown: string): string => plain(markdown.split(/\n{2,}/)[1] ?? '').replaceAll('\n', ' ');

/** What follows a heading directly belongs to it; a list follows what announces it. */
const spaceBefore = (lines: string[], block: string): string[] =>
  lines.length === 1 || (lines.at(-1)?.startsWith('  ') && !block.startsWith('- ')) ? [''] : [];

const itemsOf = (block: string): string[] => block.split(/\n(?=- )/);

function renderItem(item: string, width: number): string[] {
  const text = item
    .replace(/\s*\n\s*/g, ' ')
    .replace(/`([^`]{1,60})`/g, (_, code: string) => code.replaceAll(' ', '\u00a0'));
  return wrap(plain(text), width, 2, item.startsWith('- ') ? 4 : 2).map((line) => line.replaceAll('\u00a0', ' '));
}

/** Code is not marked: on a terminal it is copied, so it is not broken either. */
const plain = (text: string): string => text.replaceAll('`', '');
