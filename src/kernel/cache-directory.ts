import { lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A folder for what makes later runs faster; undefined where there is none, or UNCLOSED_CACHE=off. What lies in it
 * is run as code, so it must be of this user alone: root's is not looked for where a variable points.
 */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  if (environment.UNCLOSED_CACHE === 'off') return undefined;
  try {
    const user = process.geteuid?.();
    const directory = join(user === 0 ? '/var/cache' : homeCache(environment), 'unclosed');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const status = lstatSync(directory);
    return status.isDirectory() && status.uid === user && (status.mode & 0o022) === 0 ? directory : undefined;
  } catch {
    return undefined; // a file system that is read-only, a user without home
  }
}

function homeCache({ XDG_CACHE_HOME: named }: NodeJS.ProcessEnv): string {
  if (named?.startsWith('/')) return named;
  return join(process.getBuiltinModule('node:os').userInfo().homedir, '.cache'); // loaded for those who need it
}
