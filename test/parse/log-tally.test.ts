import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LineForm } from '../../src/parse/log-line.ts';
import { MESSAGES } from '../../src/parse/log-messages.ts';
import { messagesOf, type Tally, tallyPiece } from '../../src/parse/log-tally.ts';

const NOW = Date.UTC(2026, 10, 20, 4, 0, 0);
const HOUR = 3_600_000;

function tally(text: string, form: LineForm = 'plain', zoneMs = 0) {
  const found: Tally = new Map();
  const piece = { text: Buffer.from(text).toString('latin1'), source: 'app.log', form, clock: { near: NOW, zoneMs } };
  return { seen: tallyPiece(found, piece), messages: messagesOf(found) };
}

test('messages are counted by minute, with the first, the last, and the newest line', () => {
  const { seen, messages } = tally(
    [
      '2026-11-20 03:12:01,000 INFO up',
      '2026-11-20 03:12:44,120 ERROR OSError: [Errno 24] Too many open files: a',
      '2026-11-20 03:12:45,000 ERROR OSError: [Errno 24] Too many open files: b',
      '2026-11-20 03:20:00,000 ERROR read ECONNRESET',
      '2026-11-20 03:20:10,000 ERROR OSError: [Errno 24] Too many open files: c',
      '',
    ].join('\n'),
  );
  assert.deepEqual(seen, { lines: 5, from: NOW - HOUR + 721_000, to: NOW - HOUR + 1_210_000 });
  const [files, reset, ...more] = messages;
  assert.deepEqual(
    [files?.id, files?.count, reset?.id, reset?.count, more],
    ['too-many-open-files', 3, 'connection-reset', 1, []],
  );
  assert.deepEqual(
    files?.perMinute.map(({ at, count }) => [(at - NOW + HOUR) / 60_000, count]),
    [
      [12, 2],
      [20, 1],
    ],
  );
  assert.equal(files?.example, '2026-11-20 03:20:10,000 ERROR OSError: [Errno 24] Too many open files: c');
});

test('a stack trace that names its error again is one message, at the time of the line above it', () => {
  const { messages } = tally(
    `2026-11-20 03:12:44,120 ERROR request failed
java.io.IOException: Broken pipe
\tat sun.nio.ch.SocketDispatcher.write0(Native Method)
Caused by: java.io.IOException: Broken pipe
2026-11-20 03:12:45,120 ERROR request failed
java.io.IOException: Broken pipe
`,
  );
  assert.deepEqual(
    messages.map(({ id, count, first }) => [id, count, first]),
    [['broken-pipe', 2, Date.UTC(2026, 10, 20, 3, 12, 44, 120)]],
  );
});

test('without times every line counts, and none is made up', () => {
  const { seen, messages } = tally('Broken pipe\nBroken pipe\n');
  assert.deepEqual(seen, { lines: 2 });
  assert.deepEqual([messages[0]?.count, messages[0]?.first, messages[0]?.perMinute], [2, undefined, []]);
});

test('a zone is added to times that have none', () => {
  const line = '2026-11-20 03:12:44 Broken pipe\n';
  assert.equal(tally(line, 'plain', -2 * HOUR).messages[0]?.first, Date.UTC(2026, 10, 20, 1, 12, 44));
});

test('lines of Docker, journalctl and the kubelet are unwrapped', () => {
  const at = Date.UTC(2026, 10, 20, 3, 12, 44, 120);
  const text = 'OSError: [Errno 24] Too many open files';
  for (const [form, line] of [
    ['docker', JSON.stringify({ log: `${text}\n`, stream: 'stderr', time: '2026-11-20T03:12:44.120456789Z' })],
    ['journal', JSON.stringify({ MESSAGE: text, __REALTIME_TIMESTAMP: `${at}456` })],
    ['cri', `2026-11-20T03:12:44.120456789Z stderr F ${text}`],
  ] as const) {
    const [message] = tally(`${line}\n`, form).messages;
    assert.deepEqual([message?.example, message?.first], [text, at], form);
  }
});

test('an example has no control characters and no secrets, and is cut; text behind the first 4096 characters is found', () => {
  const [message] = tally(`\u001b[31mEPIPE\u001b[0m \u0007 password=hunter2 grün ${'x y '.repeat(500)}\n`).messages;
  assert.match(message?.example ?? '', /^EPIPE {1,3}password=\*\*\* grün x y .{100,}…$/);
  assert.equal(tally(`${'a'.repeat(200_000)} ECONNRESET ${'b'.repeat(200_000)}\n`).messages[0]?.id, 'connection-reset');
});

/** What a program could write to make a pattern look again and again. */
const HOSTILE = [
  'a',
  ' ',
  '{',
  '"',
  '\\',
  '=',
  'password=',
  'Bearer ',
  'a://',
  '2026-11-20 ',
  ':',
  'eyJ',
  '0',
  '>',
  '\u001b[',
];

test('2 MB of anything are counted in time in proportion, whatever they repeat', () => {
  for (const unit of HOSTILE) {
    for (const end of ['\n', '']) {
      const line = `${unit.repeat(Math.ceil(20_000 / unit.length))} ECONNRESET${end}`;
      const text = line.repeat(Math.floor(2_000_000 / line.length));
      const began = performance.now();
      tally(text);
      assert.ok(performance.now() - began < 2000, `${JSON.stringify(unit)} took ${performance.now() - began} ms`);
    }
  }
});

test('any text gives messages of the table, in lines that it has', () => {
  const words = MESSAGES.flatMap(({ texts }) => texts);
  const part = fc.oneof(fc.constantFrom(...words, '\n', '2026-11-20 03:12:44 '), fc.string({ unit: 'binary' }));
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 40 }),
      fc.constantFrom('plain', 'docker', 'journal', 'cri'),
      (parts, form) => {
        const text = parts.join('');
        const { seen, messages } = tally(text, form);
        assert.ok(seen.lines <= text.split('\n').length);
        const counted = messages.reduce((sum, { count }) => sum + count, 0);
        assert.ok(counted <= seen.lines);
        for (const { example } of messages) assert.doesNotMatch(example, /\p{Cc}/u);
      },
    ),
  );
});
