import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { VERSION } from '../../src/app/version.ts';
import { COMMANDS } from '../../src/faces/cli.ts';
import { HELP } from '../../src/faces/help.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

type Run = { code: number | null; stdout: string; stderr: string };

/** Runs the command line; `closeAfter` closes its output once so many bytes have come. */
function unclosed(args: string[], options: { closeAfter?: number; env?: NodeJS.ProcessEnv } = {}): Promise<Run> {
  const { closeAfter = Number.POSITIVE_INFINITY, env } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(ROOT, 'src/bin.ts'), ...args], { env: { ...process.env, ...env } });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (data: string) => {
      stdout += data;
      if (stdout.length >= closeAfter) child.stdout.destroy();
    });
    child.stderr.setEncoding('utf8').on('data', (data: string) => {
      stderr += data;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'unclosed-cli-'));
});
after(() => rmSync(folder, { recursive: true }));

function folderWith(name: string, meta: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  writeFileSync(join(path, 'meta.json'), meta);
  return path;
}

test('--help, -h and help print the help text byte for byte', async () => {
  for (const args of [['--help'], ['-h'], ['help'], ['--help', '--json']])
    assert.deepEqual(await unclosed(args), { code: 0, stdout: HELP, stderr: '' });
});

test('a command explains itself with help NAME and with --help', async () => {
  const { help } = await COMMANDS.record();
  for (const args of [
    ['help', 'record'],
    ['record', '--help'],
    ['record', '-h'],
  ])
    assert.deepEqual(await unclosed(args), { code: 0, stdout: help, stderr: '' });
});

test('--version prints the version of package.json', async () => {
  assert.deepEqual(await unclosed(['--version']), { code: 0, stdout: `unclosed ${VERSION}\n`, stderr: '' });
  assert.equal(VERSION, JSON.parse(text('package.json')).version);
});

const commands = await Promise.all(Object.entries(COMMANDS).map(async ([name, load]) => [name, await load()] as const));

test('every option of a command is in its help text and in the man page', () => {
  const man = text('man/unclosed.8').replaceAll('\\-', '-');
  for (const [command, { help, options }] of commands) {
    for (const [name, { short }] of Object.entries(options)) {
      // -4 and -6 need no long form to be found.
      const inHelp = help.includes(`--${name}`) || (short !== undefined && help.includes(`-${short}`));
      assert.ok(inHelp, `--${name} is not in the help text of ${command}`);
      assert.match(man, new RegExp(`^\\.It .*Fl -${name}( |$)`, 'm'), `--${name} is not in the man page`);
      if (short !== undefined)
        assert.match(man, new RegExp(`^\\.It .*Fl ${short}( |$)`, 'm'), `-${short} is not in the man page`);
    }
  }
});

test('every command is in the help text, and fits in 92 columns', () => {
  for (const [name, { help }] of commands) {
    assert.match(HELP, new RegExp(`unclosed:? ${name}\\b|--${name}`), name);
    for (const line of help.split('\n')) assert.ok(line.length <= 92, line);
  }
});

test('the man page names no option that does not exist', () => {
  const names = new Set(['help', 'version', ...commands.flatMap(([, { options }]) => Object.keys(options))]);
  for (const [, name] of text('man/unclosed.8').matchAll(/Fl -([a-z][a-z0-9-]*)/g))
    assert.ok(name !== undefined && names.has(name), `--${name}`);
});

const USAGE: [string, string[]][] = [
  ['an unknown option', ['--frobnicate']],
  ['an unknown command', ['frobnicate']],
  ['a command that is not the first word', ['--json', 'record', 'x']],
  ['help on nothing', ['help', 'frobnicate']],
  ['an option without its value', ['--pid']],
  ['a pid that is none', ['-p', 'abc']],
  ['a port that is none', ['--port', '65536']],
  ['a duration that is none', ['--stuck-after', '5x']],
  ['an address that is none', ['--peer', 'x']],
  ['a choice that is none', ['--held', 'sometimes']],
  ['both families', ['-4', '-6']],
  ['record without a folder', ['record']],
  ['--scrub without record', ['--scrub']],
  ['--from with demo', ['demo', '--from', 'x']],
  ['--yes with nothing to do', ['tune', '--yes']],
  ['--apply and --undo', ['tune', '--undo', '--apply', 'tcp_tw_reuse=1']],
  ['a parameter that is none', ['tune', '--apply', 'kernel.panic=1']],
  ['--apply without a value', ['tune', '--apply', 'tcp_tw_reuse']],
  ['a recording that shall be changed', ['tune', '--from', 'x', '--undo']],
  ['--yes and --ask', ['tune', '--undo', '--yes', '--ask']],
];

for (const [what, args] of USAGE) {
  test(`${what} ends with 2 and one line that says so`, async () => {
    const { code, stdout, stderr } = await unclosed(args);
    assert.deepEqual({ code, stdout }, { code: 2, stdout: '' });
    assert.match(stderr, /^unclosed: .* \[USAGE\]\n {2}.+\n$/);
  });
}

/** PID_MAX_LIMIT: the kernel gives no process this pid. */
const NO_PID = '4194304';

test('a pid that does not exist ends with 2, bare and with -p', async () => {
  for (const args of [[NO_PID], ['-p', NO_PID], ['--pid', NO_PID], ['report', NO_PID], [`-p${NO_PID}`]]) {
    const { code, stderr } = await unclosed(args);
    assert.equal(code, 2);
    assert.match(stderr, /\[NO_SUCH_PROCESS\]/);
  }
});

test('a bare pid and -p report the same process', async () => {
  const own = String(process.pid);
  for (const args of [[own], ['-p', own], ['--pid', own]]) {
    const { code, stdout, stderr } = await unclosed(args);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    assert.match(stdout, new RegExp(`^only pid ${own}$`, 'm'));
  }
});

const META = {
  format: 'unclosed.recording/1',
  tool: '0.1.0',
  byteOrder: 'LE',
  scrubbed: false,
  files: {},
  refused: {},
};

const RECORDINGS: [string, string, () => string][] = [
  ['missing', 'RECORDING_MISSING', () => join(folder, 'nowhere')],
  ['of another tool', 'RECORDING_FOREIGN', () => folderWith('other', '{}')],
  ['without JSON in its meta.json', 'RECORDING_FOREIGN', () => folderWith('text', 'no JSON')],
  ['of another byte order', 'RECORDING_FOREIGN', () => folderWith('big', JSON.stringify({ ...META, byteOrder: 'BE' }))],
  ['with a way out', 'RECORDING_FOREIGN', () => folderWith('out', JSON.stringify({ ...META, files: { '../x': 1 } }))],
  ['truncated', 'RECORDING_TRUNCATED', () => folderWith('cut', JSON.stringify({ ...META, files: { now: 13 } }))],
];

for (const [what, errorCode, make] of RECORDINGS) {
  test(`a recording that is ${what} ends with 2 and ${errorCode}`, async () => {
    const { code, stdout, stderr } = await unclosed(['--from', make()]);
    assert.deepEqual({ code, stdout }, { code: 2, stdout: '' });
    assert.match(stderr, new RegExp(`\\[${errorCode}\\]\\n {2}.+\\n$`));
  });
}

test('record refuses a folder that is not empty', async () => {
  const { code, stderr } = await unclosed(['record', folderWith('full', '{}')]);
  assert.equal(code, 2);
  assert.match(stderr, /\[RECORDING_EXISTS\]/);
});

test('a reader that goes away early ends it quietly', async () => {
  for (const args of [['--json', '--sockets'], ['--all', '--sockets', '-v'], ['--help']]) {
    const { code, stderr } = await unclosed(args, { closeAfter: 1 });
    assert.equal(stderr, '');
    assert.ok(code === 0 || code === 1, `exit code ${code}`);
  }
});

test('a pipe and NO_COLOR get no escape sequences, even where colour is forced', async () => {
  for (const env of [{}, { NO_COLOR: '1', FORCE_COLOR: '1' }, { FORCE_COLOR: '3' }]) {
    const { stdout, stderr } = await unclosed(['--all', '-v'], { env });
    assert.equal(stderr.replace(/^\((node:|Use `node).*\n/gm, ''), '');
    assert.ok(!stdout.includes('\u001b'), 'an escape sequence in a pipe');
  }
});
