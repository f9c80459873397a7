// Compares the tables of src/parse/python/layouts.ts with the CPythons of this machine: structs that are in headers with a C
// program for each, others with what the interpreter itself measures. Exit code 1 on a difference, 2 where nothing could be compared.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as layouts from '../src/parse/python/layouts.ts';

type Numbers = Record<string, Record<string, number>>;

const PROGRAM = fileURLToPath(new URL('python-layouts/layout.c', import.meta.url));
const MEASURE = fileURLToPath(new URL('python-layouts/measure.py', import.meta.url));

/** The interpreters of pyenv, and the machine's own. */
function interpreters(): string[] {
  const versions = join(process.env.PYENV_ROOT ?? join(homedir(), '.pyenv'), 'versions');
  const found = existsSync(versions) ? readdirSync(versions).map((name) => join(versions, name, 'bin/python3')) : [];
  return [...found, '/usr/bin/python3'].filter((path) => existsSync(path));
}

function run(command: string, ...args: string[]): string | undefined {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? stdout : undefined;
}

function fromHeaders(python: string): Numbers | undefined {
  const include = run(python, '-c', 'import sysconfig; print(sysconfig.get_paths()["include"])')?.trim();
  if (!include || !existsSync(join(include, 'Python.h'))) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'unclosed-layouts-'));
  try {
    const program = join(folder, 'layout');
    if (run('cc', '-w', '-o', program, PROGRAM, `-I${include}`) === undefined) return undefined;
    return JSON.parse(run(program) ?? '') as Numbers;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What the tables say, under the names that the C program gives. */
function ours(minor: number): Numbers {
  const { lines, attributes, type, keys, ...layout } = layouts.LAYOUTS[minor] ?? ({} as layouts.Layout);
  const { OBJECT, TYPE, DICT, KEYS, LIST, TUPLE, SET, CELL, TEXT, BYTES, INTEGER, GIL, DEQUE, SOCKET } = layouts;
  const same = { object: OBJECT, dict: DICT, list: LIST, tuple: TUPLE, set: SET, cell: CELL, bytes: BYTES };
  const others = { integer: INTEGER, gil: GIL, deque: DEQUE, socket: SOCKET, keys: { ...KEYS, ...keys } };
  return { ...layout, ...same, ...others, type: { ...TYPE, ...type }, text: { ...TEXT, ...layout.text } };
}

let compared = 0;
let different = 0;
for (const python of interpreters()) {
  const version = run(python, '-c', 'import platform; print(platform.python_version())')?.trim() ?? '';
  const minor = Number(/^3\.([0-9]+)/.exec(version)?.[1]);
  if (!layouts.LAYOUTS[minor]) continue;
  const measured = JSON.parse(run(python, '-W', 'ignore', MEASURE) ?? '{}') as Numbers;
  const headers = fromHeaders(python);
  if (!headers) console.log(`${version}: no headers, or no C compiler`);
  const table = ours(minor);
  const before = compared;
  for (const [group, fields] of [...Object.entries(headers ?? {}), ...Object.entries(measured)]) {
    for (const [field, theirs] of Object.entries(fields)) {
      compared++;
      if (table[group]?.[field] === theirs) continue;
      different++;
      console.log(`${version}: ${group}.${field} is ${table[group]?.[field]} here, ${theirs} there`);
    }
  }
  console.log(`${version}: ${compared - before} compared`);
}
console.log(`\n${compared} compared, ${different} different`);
process.exitCode = compared === 0 ? 2 : different === 0 ? 0 : 1;
