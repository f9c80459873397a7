import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/model/errors.ts';
import {
  commandLine,
  parseBootTime,
  parseCmdline,
  parseLimits,
  parseSchedstat,
  parseStat,
  parseStatus,
} from '../../src/parse/proc-pid.ts';

// Linux 6.18.
const STAT_TAIL =
  'S 2461 2480 2480 0 -1 4194560 4382 156 0 0 12 34 1 2 20 0 7 0 4455 4943872 1017 18446744073709551615 1 1 0 0 0 0';
const stat = (name: string) => `2480 (${name}) ${STAT_TAIL}\n`;

const STATUS = `Name:\tnode
Umask:\t0022
State:\tD (disk sleep)
Tgid:\t3254
Pid:\t3254
PPid:\t3210
Uid:\t1000\t1001\t1002\t1003
Gid:\t0\t33\t0\t0
Groups:\t 
NSpid:\t3254\t17\t1
Threads:\t7
CapEff:\t000001fffeffffff
`;

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units     
Max processes             96365                96365                processes 
Max open files            1024                 524288               files     
Max locked memory         8388608              8388608              bytes     
`;

const bytes = (text: string) => new TextEncoder().encode(text);

/** Runs `parse` and lets a ParseError pass: whatever else is thrown fails the test. */
function onlyParseErrors(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
  }
}

test('stat gives pid, name, state, parent, threads and start time', () => {
  assert.deepEqual(parseStat(stat('bash'), '/proc/2480/stat'), {
    pid: 2480,
    name: 'bash',
    state: 'sleeping',
    parent: 2461,
    threads: 7,
    cpuTicks: 46,
    startTicks: 4455,
  });
});

test('a name may hold spaces, brackets, newlines and a false end', () => {
  for (const name of ['tmux: server', '(sd-pam)', 'a) R 1 1 (x', 'two\nlines', '', ')', '('])
    assert.equal(parseStat(stat(name), '/proc/2480/stat').name, name);
});

test('pid 1 has no parent', () => {
  assert.equal('parent' in parseStat(stat('init').replace('S 2461', 'S 0'), '/proc/1/stat'), false);
});

test('an unknown state, a missing bracket and a line cut short are errors with the raw text', () => {
  assert.throws(
    () => parseStat(stat('x').replace(' S ', ' Q '), '/proc/1/stat'),
    /\/proc\/1\/stat: "Q" is no process state/,
  );
  assert.throws(() => parseStat('12 bash S 1', '/proc/1/stat'), /"12 bash S 1"/);
  assert.throws(() => parseStat('12 (bash) S 1 1', '/proc/1/stat'), /too few fields in "12 \(bash\) S 1 1"/);
  assert.throws(() => parseStat('', '/proc/1/stat'), ParseError);
});

test('every truncation of stat before the start time is a ParseError', () => {
  const text = stat('a) b');
  for (let n = 0; n < text.indexOf(' 4455'); n++) assert.throws(() => parseStat(text.slice(0, n), 'stat'), ParseError);
});

test('any name of a process comes back from stat', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 64, unit: 'binary' }), (name) => parseStat(stat(name), 'stat').name === name),
  );
});

test('status gives the effective uid, the pids of all namespaces and the capabilities', () => {
  assert.deepEqual(parseStatus(STATUS, '/proc/3254/status'), {
    name: 'node',
    state: 'uninterruptible',
    threads: 7,
    uid: 1001,
    gid: 33,
    nspid: [3254, 17, 1],
    capEff: 0x1fffeffffffn,
  });
});

test('lines that status does not have are absent', () => {
  assert.deepEqual(parseStatus('', 'status'), {});
  assert.deepEqual(parseStatus('Name:\tx\nUid:\t0\t0\t0\t0\n', 'status'), { name: 'x', uid: 0 });
});

test('status escapes newlines and backslashes in a name', () => {
  assert.equal(parseStatus('Name:\ta\\nb\\\\n\n', 'status').name, 'a\nb\\n');
});

test('a line of status that cannot be read is an error that names it, and no uid becomes root', () => {
  assert.throws(() => parseStatus('Uid:\t1000\n', '/proc/7/status'), /\/proc\/7\/status Uid: "" is no number/);
  assert.throws(() => parseStatus('CapEff:\txyz\n', 'status'), /"xyz"/);
});

test('limits gives the soft and the hard limit of open files', () => {
  assert.deepEqual(parseLimits(LIMITS, 'limits'), { soft: 1024, hard: 524288 });
});

test('unlimited is Infinity, and a missing line is unknown', () => {
  const unlimited = LIMITS.replace('524288   ', 'unlimited');
  assert.deepEqual(parseLimits(unlimited, 'limits'), { soft: 1024, hard: Number.POSITIVE_INFINITY });
  assert.deepEqual(parseLimits('', 'limits'), {});
  assert.throws(() => parseLimits('Max open files   1024', 'limits'), /"Max open files {3}1024"/);
});

test('a command line is split at NULs and keeps empty arguments', () => {
  assert.deepEqual(parseCmdline(bytes('node\0--title\0\0server.js\0')), ['node', '--title', '', 'server.js']);
  assert.deepEqual(parseCmdline(bytes('')), []);
  assert.deepEqual(parseCmdline(bytes('\0\0')), []);
});

test('a rewritten title is one string', () => {
  const argv = parseCmdline(bytes('nginx: worker process\0\0\0\0\0'));
  assert.deepEqual(argv, ['nginx: worker process']);
  assert.equal(commandLine(argv), 'nginx: worker process');
  assert.equal(commandLine(['postgres: checkpointer   ']), 'postgres: checkpointer');
});

test('invalid UTF-8 in a command line is replaced', () => {
  assert.deepEqual(parseCmdline(Uint8Array.of(0x61, 0xff, 0, 0x62, 0)), ['a\ufffd', 'b']);
  assert.deepEqual(parseCmdline(bytes('\ufeffa\0')), ['\ufeffa']);
});

test('arguments are quoted where a shell would split or read them', () => {
  assert.equal(commandLine(['bash', '-c', "echo 'a'", '', '-Dx=/y/z:1']), "bash -c 'echo '\\''a'\\''' '' -Dx=/y/z:1");
  assert.equal(commandLine([]), '');
});

test('the boot time is the line btime', () => {
  assert.equal(parseBootTime('cpu  1714 0 1789\nintr 1 2\nbtime 1795200910\nprocesses 6\n'), 1795200910);
  assert.throws(() => parseBootTime('cpu 1\n'), /\/proc\/stat: no line begins with btime/);
});

test('arbitrary text and bytes give a value or a ParseError', () => {
  const key = fc.constantFrom('Name', 'State', 'Threads', 'Uid', 'NSpid', 'CapEff', 'Max open files', 'btime', '1 (a)');
  const line = fc.tuple(key, fc.constantFrom(':\t', ' ', ''), fc.string()).map((parts) => parts.join(''));
  const text = fc.oneof(
    fc.string(),
    fc.array(line).map((lines) => lines.join('\n')),
  );
  fc.assert(
    fc.property(text, (input) => {
      for (const parse of [parseStat, parseStatus, parseLimits, parseBootTime])
        onlyParseErrors(() => parse(input, 'x'));
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array(), (input) => {
      assert.equal(typeof commandLine(parseCmdline(input)), 'string');
    }),
  );
});

test('schedstat gives the time on a processor and the time waiting for one, in nanoseconds', () => {
  assert.deepEqual(parseSchedstat('94772000 61262000 2\n', 'schedstat'), { ranMs: 94.772, waitedMs: 61.262 });
  for (const text of ['', '12', 'a b c', '-1 2 3']) assert.throws(() => parseSchedstat(text, 'schedstat'), ParseError);
  fc.assert(fc.property(fc.string(), (text) => onlyParseErrors(() => parseSchedstat(text, 'schedstat'))));
});
