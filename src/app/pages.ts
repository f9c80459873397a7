import { readFileSync } from 'node:fs';
import type { Cause } from '../model/finding.ts';

// From src/app as from dist/cli the pages are two folders up: the package holds them.
const FOLDER = new URL('../../docs/causes/', import.meta.url);

/** The page of a cause, in Markdown. */
export const readPageOf = (cause: Cause): string => readFileSync(new URL(`${cause}.md`, FOLDER), 'utf8');
