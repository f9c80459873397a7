import type { Frame, Origin } from '../../model/inside.ts';

const isRuntime = (url: string): boolean => url.startsWith('node:') || url.startsWith('internal/');

function originOf(url: string): Origin {
  if (isRuntime(url)) return 'runtime';
  return /[\\/]node_modules[\\/]/.test(url) ? 'library' : 'application';
}

/** The path in a file: URL; anything else as it is. */
function fileOf(url: string): string {
  if (!url.startsWith('file:///')) return url;
  const path = url.slice('file://'.length);
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** A place that V8 names. `line` counts from 0, as there. Code of eval and -e has no URL. */
export function frameAt(name: string, url: string | undefined, line: number | undefined): Frame {
  const file = url ? fileOf(url) : undefined;
  return {
    function: name || '(anonymous)',
    ...(file !== undefined && { file }),
    ...(line !== undefined && { line: line + 1 }),
    origin: originOf(url ?? ''),
  };
}
