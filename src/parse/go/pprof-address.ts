import { ParseError } from '../../model/errors.ts';

/**
 * What a person gives as the address of pprof, as the address of its goroutine profile: `:6060`, `localhost:6060`,
 * `http://10.0.0.7:6060/debug/pprof/`.
 */
export function goroutineProfile(given: string): string {
  const text = given.trim();
  const withHost = text.startsWith(':') ? `127.0.0.1${text}` : text;
  const [, scheme = 'http', rest = ''] = /^(?:(https?):\/\/)?([^\s]{1,2000})$/i.exec(withHost) ?? [];
  const [, authority, path = ''] =
    /^((?:[^\s/@?#]{1,200}@)?(?:\[[0-9a-f:.]{2,60}\]|[\w.-]{1,253})(?::[0-9]{1,5})?)(\/[^\s?#]{0,1000})?(?:[?#].{0,1000})?$/i.exec(
      rest,
    ) ?? [];
  if (authority === undefined) throw new ParseError('--pprof', `"${given.slice(0, 200)}" is no address`);
  const folder = /^(.*\/debug\/pprof)(?:\/.*)?$/.exec(path)?.[1] ?? `${path.replace(/\/+$/, '')}/debug/pprof`;
  return `${scheme.toLowerCase()}://${authority}${folder}/goroutine?debug=2`;
}
