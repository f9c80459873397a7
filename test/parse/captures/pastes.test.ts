import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UnclosedError } from '../../../src/model/errors.ts';
import { LineSplitter } from '../../../src/parse/captures/lines.ts';
import { CaptureReader } from '../../../src/parse/captures/reader.ts';
import type { CaptureRow } from '../../../src/parse/captures/row.ts';
import { parseCapture } from '../../../src/parse/captures/text.ts';
import { fixture, rowsIn, rowsOf } from './helpers.ts';

const LINUX = 'linux-6.18';
const NAMES = [
  'ss-tanpi',
  'ss-tanp',
  'ss-tanpiemoO',
  'netstat-neopa',
  'netstat-antp',
  'lsof',
  'lsof-Tqs',
  'proc-net-tcp',
  'lsfd',
];
const text = (name: string): string => fixture(`${LINUX}/${name}.txt`);

/** Rows without their line numbers. */
const bare = (rows: CaptureRow[]): Omit<CaptureRow, 'line'>[] => rows.map(({ line: _line, ...rest }) => rest);

function readBytes(bytes: Uint8Array, chunk = 65_536): CaptureRow[] {
  const reader = new CaptureReader();
  const lines = new LineSplitter('paste', (line, number, part) => reader.push(line, number, part));
  for (let at = 0; at < bytes.length; at += chunk) lines.push(bytes.subarray(at, at + chunk));
  lines.end();
  const read = reader.end();
  assert.deepEqual(read.errors, []);
  return rowsIn(read);
}

const utf16 = (content: string, swap: boolean, mark: boolean): Uint8Array => {
  const bytes = Buffer.from(`${mark ? '\ufeff' : ''}${content}`, 'utf16le');
  return swap ? bytes.swap16() : bytes;
};

const PASTES: [string, (content: string) => string][] = [
  ['quoted', (it) => it.replace(/^/gm, '> ')],
  ['quoted twice', (it) => it.replace(/^/gm, '>> ')],
  ['in a fence', (it) => `\`\`\`console\n${it}\`\`\`\n`],
  [
    'with line numbers of cat -n',
    (it) =>
      it
        .split('\n')
        .map((line, i) => `${String(i + 1).padStart(6)}\t${line}`)
        .join('\n'),
  ],
  [
    'with line numbers of grep -n',
    (it) =>
      it
        .split('\n')
        .map((line, i) => `${i + 1}:${line}`)
        .join('\n'),
  ],
  ['in colours', (it) => it.replace(/([A-Z]+[-_]WAIT)/g, '\u001b[01;31m\u001b[K$1\u001b[m\u001b[K')],
  ['with CRLF', (it) => it.replace(/\n/g, '\r\n')],
  ['with tabs', (it) => it.replace(/ {8}/g, '\t')],
  ['with no-break spaces', (it) => it.replace(/ {2}/g, '\u00a0 ')],
  ['indented', (it) => it.replace(/^/gm, '    ')],
  ['without its last line end', (it) => it.trimEnd()],
  ['without trailing space', (it) => it.replace(/ +$/gm, '')],
  ['with time stamps', (it) => it.replace(/^(?=\S)/gm, '2026-11-20T03:12:44.120Z ')],
  ['below a prompt', (it) => `[root@db-1 ~]# some-tool -x\n${it}[root@db-1 ~]# \n`],
];

for (const name of NAMES) {
  const rows = rowsOf(text(name));
  for (const [how, change] of PASTES) {
    test(`${name} ${how} gives the same rows`, () => {
      assert.deepEqual(bare(rowsOf(change(text(name)))), bare(rows));
    });
  }
  test(`${name} as UTF-16, or in small pieces, gives the same rows`, () => {
    for (const swap of [true, false]) {
      for (const mark of [true, false]) assert.deepEqual(readBytes(utf16(text(name), swap, mark)), rows);
    }
    assert.deepEqual(readBytes(Buffer.from(text(name)), 7), rows);
  });
}

for (const name of ['netstat-antp', 'lsof', 'ss-tanp']) {
  test(`${name} wrapped at the edge of a terminal gives the same sockets`, () => {
    for (const width of [80, 100, 120]) {
      const wrapped = text(name)
        .split('\n')
        .map((line) => line.trimEnd().replace(new RegExp(`(.{${width}})(?=.)`, 'g'), '$1\n'))
        .join('\n');
      const { captures } = parseCapture(wrapped);
      const found = captures.flatMap(({ rows }) => rows).map(({ state, local, peer }) => ({ state, local, peer }));
      assert.deepEqual(
        found,
        rowsOf(text(name)).map(({ state, local, peer }) => ({ state, local, peer })),
        String(width),
      );
    }
  });
}

const ROWS = NAMES.filter((name) => name !== 'ss-tanpi').flatMap((name) =>
  text(name)
    .split('\n')
    .filter((line) => /WAIT|LISTEN|laddr| 08 /.test(line))
    .slice(0, 6),
);
const NOISE = [
  '',
  'Hello, our server hangs again.',
  '```',
  '> ',
  '$ ls',
  'total 12',
  '-----',
  '...',
  'at java.net.Socket.read(Socket.java:1)',
  '(Not all processes could be identified, non-owned process info',
];

test('any mixture of rows with noise keeps all rows, in order, with their numbers', () => {
  const noise = fc.oneof(fc.constantFrom(...NOISE), fc.lorem());
  const line = fc.oneof(fc.record({ row: fc.constantFrom(...ROWS) }), fc.record({ noise }));
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const rows = rowsIn(parseCapture(lines.map((it) => ('row' in it ? it.row : it.noise)).join('\n')));
      assert.deepEqual(
        rows.map((it) => it.line),
        lines.flatMap((it, i) => ('row' in it ? [i + 1] : [])),
      );
    }),
  );
});

test('every truncation of a row is that row without its end, an error with its text, or nothing', () => {
  for (const line of ROWS) {
    const [whole] = rowsOf(line);
    for (let length = 1; length < line.length; length++) {
      const part = line.slice(0, length);
      const { captures, errorCount } = parseCapture(part);
      const [row, ...more] = captures.flatMap(({ rows }) => rows);
      assert.equal(more.length, 0);
      if (!row) continue;
      assert.equal(errorCount, 0);
      // Alone, a row of lsof without its state may be one of `lsof -T`, and its ends are those that are left.
      if (row.state === undefined && row.incomplete) continue;
      if (row.state !== undefined && whole?.state !== undefined) assert.equal(row.state, whole.state, part);
      assert.deepEqual(row.local, whole?.local, part);
      for (const { pid } of row.holders ?? [])
        assert.ok(
          whole?.holders?.some((it) => it.pid === pid),
          part,
        );
    }
  }
});

test('the last row, cut before its state, is an error and no socket', () => {
  const lines = text('lsof').split('\n').slice(0, 10);
  const { captures, errors } = parseCapture(lines.join('\n').replace(/->\S+ \(\w+\)$/, ''));
  assert.equal(captures.flatMap(({ rows }) => rows).length, 8);
  assert.match(errors[0]?.message ?? '', /^capture:10: .*cut off/);
});

test('random bytes and hostile text are read or refused, never a fault', () => {
  const parts = ROWS.flatMap((row) => row.split(/(\s+)/));
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ unit: 'binary', maxLength: 300 }).map((it) => Buffer.from(it)),
    fc
      .array(fc.constantFrom(...parts, '{', '}', '[', ']', '"', '\\', ':', ',', '\n', '\u001b[', 'users:((', 'p1\0'), {
        maxLength: 60,
      })
      .map((it) => Buffer.from(it.join(''))),
  );
  fc.assert(
    fc.property(fc.array(hostile, { maxLength: 8 }), (chunks) => {
      try {
        const reader = new CaptureReader();
        const lines = new LineSplitter('paste', (line, number, part) => reader.push(line, number, part));
        for (const chunk of chunks) lines.push(chunk);
        lines.end();
        reader.end();
      } catch (error) {
        assert.ok(error instanceof UnclosedError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

test('fields of a megabyte cost no more than their length', { timeout: 20_000 }, () => {
  const fill = 'a '.repeat(400_000);
  const long = 'a'.repeat(800_000);
  const spaces = ' '.repeat(800_000);
  for (const it of [
    fill,
    long,
    spaces,
    '('.repeat(800_000),
    '\u001b['.repeat(300_000),
    '"'.repeat(800_000),
    '> '.repeat(300_000),
    '1:'.repeat(300_000),
    '- '.repeat(300_000),
  ]) {
    for (const line of [
      it,
      `tcp 0 0 ${it}`,
      `tcp 0 0 a:1 b:2 CLOSE_WAIT ${it}`,
      `x 1 u 5u IPv4 1 0t0 TCP ${it}`,
      `CLOSE-WAIT 0 0 192.0.2.1:1 192.0.2.2:2 users:((${it}`,
      `tcp4 0 0 192.0.2.1.1 192.0.2.2.2 CLOSE_WAIT 1 1 1 1 ${it}`,
      `${it} CLOSE_WAIT`,
      `{"a":"${it}"}`,
    ]) {
      parseCapture(`${line}\n${line}`);
    }
  }
});

for (const [what, bytes, message] of [
  ['gzip', [0x1f, 0x8b, 8, 0], /gzip/],
  ['a picture', [0x89, 0x50, 0x4e, 0x47], /picture/],
  ['packets', [0xd4, 0xc3, 0xb2, 0xa1], /packets/],
  ['binary data', Array.from({ length: 4096 }, (_, i) => (i * 37) % 32), /binary/],
  ['a line of more than a megabyte', Array.from({ length: 1_100_000 }, () => 0x61), /longer than 1 MiB/],
] as const) {
  test(`${what} is refused with what it is and what to do`, () => {
    const lines = new LineSplitter('paste', () => {});
    assert.throws(
      () => lines.push(Uint8Array.from(bytes)),
      (error) => error instanceof UnclosedError && message.test(error.message) && error.remedy !== '',
    );
  });
}
