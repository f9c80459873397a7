import type { Frame } from './inside.ts';

/** `Cache.get (app/cache.py:31)`; the folders before the last two say little in a line of text. */
export function placeText({ function: name, file, line }: Frame): string {
  if (file === undefined) return name;
  const short = shortFile(file);
  const place = line === undefined ? short : `${short}:${line}`;
  return ANONYMOUS.test(name) ? place : `${name} (${place})`;
}

const shortFile = (file: string): string => {
  const parts = file.replace(/^file:\/\//, '').split('/');
  return parts.length > 3 ? `…/${parts.slice(-2).join('/')}` : parts.join('/');
};

/** Runtimes have their own words for a function without a name; its place says more. */
const ANONYMOUS = /^(?:\(anonymous\)|<anonymous>|<module>)?$/;

/** What refers to an object, in a form in which requests for one thing after the other are of one kind. */
export const referenceText = (by: string): string =>
  by.startsWith('http.ClientRequest') ? by.replace(/[0-9a-f-]*[0-9][0-9a-f-]*/g, '…') : by;
