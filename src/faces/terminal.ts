import { styleText } from 'node:util';
import type { Paint, Style } from '../render/text.ts';
import type { Output } from './output.ts';

const FORMATS: Record<Style, Parameters<typeof styleText>[0]> = {
  critical: ['bold', 'red'],
  warning: ['bold', 'yellow'],
  ok: 'green',
  strong: 'bold',
  dim: 'dim',
  selected: 'inverse',
};

const plain: Paint = (_style, text) => text;
const coloured: Paint = (style, text) => styleText(FORMATS[style], text, { validateStream: false });

/** Colour only on a terminal, and not when NO_COLOR (no-color.org) is set to anything but an empty string. */
export function terminalPaint(
  stdout: Output,
  values: { 'no-color'?: boolean | undefined },
  environment: NodeJS.ProcessEnv,
): Paint {
  const wanted = !values['no-color'] && stdout.isTTY && !environment.NO_COLOR && environment.TERM !== 'dumb';
  return wanted ? coloured : plain;
}

/** Lines longer than this are hard to read, however wide the terminal is. */
const WIDEST = 100;
const NARROWEST = 40;

export const pageWidth = (stdout: Output): number =>
  stdout.isTTY ? Math.min(WIDEST, Math.max(NARROWEST, stdout.columns || 80)) : 80;
