import { attempt } from '../../kernel/attempt.ts';
import { elfImports } from '../../parse/elf-symbols.ts';
import type { Mapping } from '../../parse/memory-maps.ts';
import { withImage } from '../image.ts';

/** Reading the tables of a file takes 1 to 5 ms. */
const MOST_FILES = 300;

const CONNECTING = new Set(['connect', 'accept', 'accept4']);

// The interpreter with its own modules, the C library, OpenSSL (which has functions for sockets that Python does not use; the
// package cryptography has a copy of it inside), and what connects to services of the same machine alone.
const OWN =
  /\/(?:cryptography\/hazmat\/bindings\/[^/]*|lib-dynload\/[^/]*|(?:lib)?python[^/]*|lib(?:c|pthread|resolv|anl|nsl|nss_[a-z0-9]+|crypto|ssl|uuid|dbus-1|systemd)[-.][^/]*|ld-[^/]*)$/;

/** Libraries in a process that make connections themselves: such a connection has no socket object of Python's. */
export function connectingLibraries(pid: number, maps: readonly Mapping[], exe: string | undefined): string[] {
  const files = new Map<string, Mapping>();
  for (const mapping of maps) {
    const { path, offset } = mapping;
    if (path === undefined || offset !== 0) continue;
    // An executable that has Python as a part of it (uwsgi) is looked at too.
    if (path !== exe && !/\.so(?:[.0-9]*)(?: \(deleted\))?$/.test(path)) continue;
    if (!OWN.test(path.replace(/ \(deleted\)$/, ''))) files.set(path, mapping);
  }
  return [...files]
    .slice(0, MOST_FILES)
    .filter(([path, mapping]) => {
      const image = { path, mapping, isExecutable: false };
      const imports = attempt(() => withImage(pid, image, (read) => elfImports(read, CONNECTING)));
      return imports === undefined || imports.length > 0; // one that cannot be read may be one
    })
    .map(([path]) => path.replace(/^.*\//s, ''));
}
