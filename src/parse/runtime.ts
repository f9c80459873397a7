import type { Runtime } from '../model/process.ts';
import { isGoBinary } from './elf.ts';

/**
 * What was read of a process: the target of /proc/PID/exe, its name, its arguments, the text of /proc/PID/maps, and the
 * first bytes (4096 or more) of the executable.
 */
export type RuntimeFacts = { exe?: string; name: string; argv: string[]; maps?: string; exeHead?: Uint8Array };

// Versions as the distributions write them: python3.11, python3-dbg, pypy3, ruby3.1, php-fpm8.2, php82, lsphp81,
// perl5.36.0, perl5.36-x86_64-linux-gnu, node-22.
const PROGRAMS: [RegExp, Runtime][] = [
  [/^java$/, 'java'],
  [/^node(?:js)?(?:-?[0-9.]+)?$/, 'node'],
  [/^(?:python|pypy)(?:[0-9.]+[a-z]*)?(?:-dbg)?$/, 'python'],
  [/^ruby(?:[0-9.]+)?$/, 'ruby'],
  [/^(?:ls)?php(?:-fpm|-cgi|-zts)?(?:[0-9.]+)?$/, 'php'],
  [/^perl(?:[0-9.]+(?:-[\w-]+)?)?$/, 'perl'],
  [/^dotnet$/, 'dotnet'],
];

// Programs in C, C++ or Rust that can load an interpreter for a plugin and do their network work themselves.
const NATIVE = /^(?:nginx|haproxy|envoy|postgres|mysqld|mariadbd|redis-server|mongod|sshd|snmpd|collectd|systemd)$/;

// CoreCLR maps its code twice through a memfd of that name (src/coreclr/minipal/Unix/doublemapping.cpp): since .NET 7
// the one trace of a single-file program, which has the runtime inside.
const LIBRARIES: [RegExp, Runtime][] = [
  [/\/(?:libjvm|libj9vm[0-9]*)\.so(?: \(deleted\))?$/m, 'java'],
  [/\/libnode\.so[0-9.]*(?: \(deleted\))?$/m, 'node'],
  [/\/(?:libcoreclr\.so|System\.Private\.CoreLib\.dll|memfd:doublemapper)(?: \(deleted\))?$/m, 'dotnet'],
  [/\/lib(?:python|pypy)[0-9][0-9a-z.-]*\.so[0-9.]*(?: \(deleted\))?$/m, 'python'],
  [/\/libruby[0-9.-]*\.so[0-9.]*(?: \(deleted\))?$/m, 'ruby'],
  [/\/libphp[0-9.]*\.so(?: \(deleted\))?$/m, 'php'],
  [/\/libperl\.so[0-9.]*(?: \(deleted\))?$/m, 'perl'],
];

const matching = (table: [RegExp, Runtime][], text: string): Runtime | undefined =>
  table.find(([pattern]) => pattern.test(text))?.[1];

const basename = (path: string): string => path.replace(/ \(deleted\)$/, '').replace(/^.*\//s, '');

/** Whoever may not read /proc/PID/exe can still read the arguments and the name, which the process could have changed. */
function byProgram({ exe, name, argv }: RuntimeFacts): Runtime | undefined {
  if (exe === undefined) return matching(PROGRAMS, basename(argv[0] ?? '')) ?? matching(PROGRAMS, name);
  const program = basename(exe);
  return NATIVE.test(program) ? 'native' : matching(PROGRAMS, program);
}

/** Whether the program's name leaves the runtime open, so that maps and the executable are worth reading. */
export const needsMaps = (facts: RuntimeFacts): boolean => byProgram(facts) === undefined;

/** What runs the program's code; `native` when the executable is known and is nothing else, undefined when it is not. */
export function detectRuntime(facts: RuntimeFacts): Runtime | undefined {
  const { exe, maps, exeHead } = facts;
  const found = byProgram(facts) ?? (maps === undefined ? undefined : matching(LIBRARIES, maps));
  if (found) return found;
  if (exeHead && isGoBinary(exeHead)) return 'go';
  return exe === undefined ? undefined : 'native';
}
