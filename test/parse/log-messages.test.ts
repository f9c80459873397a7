import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { LOG_KINDS } from '../../src/model/logs.ts';
import { findTexts, MESSAGES, messageOf } from '../../src/parse/log-messages.ts';

/** Lines as the programs and libraries write them, behind the id of the row that must know them. */
const LINES = readFileSync(new URL('../../fixtures/logs/messages.tsv', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => line.split('\t') as [id: string, line: string]);

test('each line of the fixture is known by its row, and is found in a log', () => {
  for (const [id, line] of LINES) {
    assert.equal(messageOf(line)?.id, id, line);
    const at: number[] = [];
    findTexts(`before\n${line}\nafter`, 0, (place) => at.push(place) && place + line.length);
    assert.ok(at.length > 0, line);
  }
});

test('each row has a line in the fixture, an id of its own, and says what it means', () => {
  const ids = MESSAGES.map(({ id }) => id);
  assert.deepEqual([...new Set(ids)], ids);
  assert.deepEqual(
    ids.filter((id) => !LINES.some(([known]) => known === id)),
    [],
  );
  for (const { says, texts, kind } of MESSAGES) {
    assert.match(says, /^[^A-Z].{10,}[^.]$/);
    assert.ok(texts.length > 0 && texts.every((text) => text.length >= 5 && !text.includes('\n')));
    assert.ok(LOG_KINDS.includes(kind));
  }
});

test('rows stand in the order of their kinds, so that the most telling one is taken for a line', () => {
  const kinds = MESSAGES.map(({ kind }) => LOG_KINDS.indexOf(kind));
  assert.deepEqual(
    kinds.toSorted((a, b) => a - b),
    kinds,
  );
});

test('ordinary lines are no messages', () => {
  for (const line of [
    '2026-11-20 03:12:44,120 INFO Connection to 192.0.2.7 established',
    '192.0.2.7 - - [20/Nov/2026:03:12:44 +0000] "GET /reset HTTP/1.1" 200 612',
    'accept: text/html',
    '',
  ])
    assert.equal(messageOf(line), undefined, line);
});
