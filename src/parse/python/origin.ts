import type { Origin } from '../../model/inside.ts';

/** Whose code is in a file, by the name that code objects have for it. */
export function originOf(file: string): Origin {
  if (/[/\\](?:site|dist)-packages[/\\]/.test(file)) return 'library';
  if (/^<frozen /.test(file)) return 'runtime';
  return /[/\\](?:lib|lib64)[/\\]python3\.[0-9]+t?[/\\]|[/\\]python3[0-9]+\.zip[/\\]/.test(file)
    ? 'runtime'
    : 'application';
}
